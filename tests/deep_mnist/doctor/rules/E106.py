"""A program that fails so, and the same mended."""

from tests.support.crashing import crashed

FAILING = """\
import keras
model = keras.Sequential([keras.layers.Dense(3)])
model.count_params()
"""
MENDED = """\
import keras
model = keras.Sequential([keras.layers.Dense(3)])
model.build((None, 4))
"""


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
