"""A program that fails so, and the same mended."""

from tests.support.crashing import crashed

FAILING = """\
import keras
from keras import layers
a, b = keras.Input((12,)), keras.Input((7,))
c = layers.add([a, b])
"""
MENDED = """\
import keras
from keras import layers
a, b = keras.Input((12,)), keras.Input((7,))
b = layers.Dense(12)(b)
c = layers.add([a, b])
"""


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
