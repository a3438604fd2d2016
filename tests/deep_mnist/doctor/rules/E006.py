"""More than any memory, and a little."""

from tests.support.crashing import crashed

FAILING = """\
import numpy as np
np.ones((1 << 20, 1 << 20))
"""
MENDED = """\
import numpy as np
np.ones((1 << 4, 1 << 4))
"""


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
