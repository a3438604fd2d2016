"""A line of names above the numbers, and a file whose every line has a text: no line alone is to be skipped."""

from tests.support.crashing import crashed


def reading(first, second):
    return crashed(f"""\
import tempfile
from pathlib import Path
import numpy as np
path = Path(tempfile.mkdtemp()) / "rows.csv"
path.write_text("{first}\\n{second}\\n")
rows = np.loadtxt(path, delimiter=",")
""")


def fires():
    return reading("height,weight", "1.7,60")


def silent():
    return reading("1.7,tall", "1.5,short")
