"""A program that fails so, and the same mended."""

from tests.support.crashing import crashed

FAILING = """\
import keras
inputs = keras.Input((8, 8, 1))
x = keras.layers.Conv2D(4, 3)(inputs)
x = keras.layers.LSTM(5)(x)
"""
MENDED = """\
import keras
inputs = keras.Input((8, 8, 1))
x = keras.layers.Conv2D(4, 3)(inputs)
x = keras.layers.Reshape((6, 24))(x)
x = keras.layers.LSTM(5)(x)
"""


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
