"""As many units as numpy counts, and the same number of Python's."""

from tests.support.crashing import crashed

FAILING = """\
import numpy as np
from keras import layers
kinds = np.array([3, 0, 2, 1]).max() + 1
layers.Dense(kinds, activation="softmax")
"""
MENDED = FAILING.replace("Dense(kinds", "Dense(int(kinds)")


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
