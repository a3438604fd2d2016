"""A table in latin-1, and the same told of its encoding; a program that ends by another error of a file."""

from tests.support.crashing import crashed

TABLE = """\
import tempfile
from pathlib import Path
import pandas as pd
path = Path(tempfile.mkdtemp()) / "names.csv"
path.write_bytes("name,age\\nJosé,41\\n".encode("latin-1"))
"""


def fires():
    return crashed(f"{TABLE}names = pd.read_csv(path)\n")


def silent():
    return crashed(f"{TABLE}names = pd.read_csv(path, encoding='latin-1')\nb'a' + 'b'\n")
