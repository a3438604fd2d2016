"""A program that fails so, and the same mended."""

from tests.support.crashing import crashed

FAILING = """\
from keras.layers import Dense
Dense(output_dim=10, input_dim=4)
"""
MENDED = """\
from keras.layers import Dense
Dense(units=10, input_dim=4)
"""


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
