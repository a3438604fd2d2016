"""A label asked for by its name without the blank before it, and a row asked for by a label that is not there."""

from tests.support.crashing import crashed

TABLE = """\
import io
import pandas as pd
flows = pd.read_csv(io.StringIO("bytes, packets, Label\\n20,1,BENIGN\\n900,7,DDoS\\n"))
"""


def fires():
    return crashed(f"{TABLE}labels = flows['Label'] == 'DDoS'\n")


def silent():
    return crashed(f"{TABLE}first = flows.loc['Label']\n")
