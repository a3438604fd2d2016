"""The first asks for numpy by a name that nothing imports; the second imports it."""

from tests.support.crashing import crashed

FAILING = """\
x = np.zeros(3)
"""
MENDED = """\
import numpy as np
x = np.zeros(3)
"""


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
