"""A file that is not there, and no file at all."""

from tests.support.crashing import crashed

FAILING = """\
import numpy as np
np.load("no_such_file_here.npy")
"""
MENDED = """\
import numpy as np
np.zeros(3)
"""


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
