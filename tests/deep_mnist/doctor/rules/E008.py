"""A program that fails so, and the same mended."""

from tests.support.crashing import crashed

FAILING = """\
import keras
layer = keras.layers.Dense(4, activation="rleu")
"""
MENDED = """\
import keras
layer = keras.layers.Dense(4, activation="relu")
"""


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
