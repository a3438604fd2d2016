"""A program that fails so, and the same mended."""

from tests.support.crashing import crashed

FAILING = """\
import numpy as np
order = np.arange(10)
order = np.random.shuffle(order)
print(order[0])
"""
MENDED = """\
import numpy as np
order = np.arange(10)
np.random.shuffle(order)
print(order[0])
"""


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
