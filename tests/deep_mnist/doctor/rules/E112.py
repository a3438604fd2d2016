"""A program that fails so, and the same mended."""

from tests.support.crashing import crashed

FAILING = """\
import keras
import numpy as np
a, b = keras.Input((3,), name="a"), keras.Input((2,), name="b")
model = keras.Model([a, b], keras.layers.Dense(1)(keras.layers.Concatenate()([a, b])))
model.compile("adam", "mse")
model.fit(np.zeros((8, 3)), np.zeros(8), verbose=0)
"""
MENDED = """\
import keras
import numpy as np
a, b = keras.Input((3,), name="a"), keras.Input((2,), name="b")
model = keras.Model([a, b], keras.layers.Dense(1)(keras.layers.Concatenate()([a, b])))
model.compile("adam", "mse")
model.fit([np.zeros((8, 3)), np.zeros((8, 2))], np.zeros(8), verbose=0)
"""


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
