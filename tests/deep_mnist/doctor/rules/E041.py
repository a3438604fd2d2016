"""Rows of two lengths added, and numbers to words."""

from tests.support.crashing import crashed


def fires():
    return crashed("import numpy as np\na, b = np.zeros(3), np.zeros(4)\na + b\n")


def silent():
    return crashed('import numpy as np\na, b = np.zeros(3), "b"\na + b\n')
