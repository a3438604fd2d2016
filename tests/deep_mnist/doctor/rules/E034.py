"""Columns that are joined as rows, and parts of which one is not known by a name."""

from tests.support.crashing import crashed

PARTS = "import numpy as np\na, b = np.zeros((4, 2)), np.ones((4, 3))\n"


def fires():
    return crashed(f"{PARTS}both = np.concatenate([a, b])\n")


def silent():
    return crashed(f"{PARTS}both = np.concatenate([a, b + 1])\n")
