"""A program that fails so, and the same mended."""

from tests.support.crashing import crashed

FAILING = """\
import keras
dense = keras.layers.Dense(4)
a, b = keras.Input((16,)), keras.Input((9,))
one = dense(a)
other = dense(b)
"""
MENDED = """\
import keras
dense = keras.layers.Dense(4)
a, b = keras.Input((16,)), keras.Input((9,))
one = dense(a)
other = keras.layers.Dense(4)(b)
"""


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
