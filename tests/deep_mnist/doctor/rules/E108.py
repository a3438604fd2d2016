"""A program that fails so, and the same mended."""

from tests.support.crashing import crashed

FAILING = """\
import keras
x = keras.Input((8,))
w = keras.ops.ones((7, 3))
y = keras.ops.matmul(x, w)
"""
MENDED = """\
import keras
x = keras.Input((8,))
w = keras.ops.ones((8, 3))
y = keras.ops.matmul(x, w)
"""


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
