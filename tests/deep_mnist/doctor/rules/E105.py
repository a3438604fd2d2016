"""A program that fails so, and the same mended."""

from tests.support.crashing import crashed

FAILING = """\
from keras import Sequential, layers
model = Sequential([layers.Input((784,))])
model.add(layers.Reshape((28, 29, 1)))
"""
MENDED = """\
from keras import Sequential, layers
model = Sequential([layers.Input((784,))])
model.add(layers.Reshape((28, 28, 1)))
"""


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
