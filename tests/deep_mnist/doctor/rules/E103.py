"""A program that fails so, and the same mended."""

from tests.support.crashing import crashed

FAILING = """\
from keras import Sequential, layers
model = Sequential([layers.Input((6, 3))])
model.add(layers.Conv1D(4, 8))
"""
MENDED = """\
from keras import Sequential, layers
model = Sequential([layers.Input((6, 3))])
model.add(layers.Conv1D(4, 8, padding='same'))
"""


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
