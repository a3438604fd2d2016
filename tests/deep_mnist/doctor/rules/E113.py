"""A program that fails so, and the same mended."""

from tests.support.crashing import crashed

FAILING = """\
import keras
import numpy as np
x, y = np.random.rand(20, 5), np.random.rand(20, 3)
model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(2)])
model.compile("adam", "mse")
model.fit(x, y, verbose=0)
"""
MENDED = """\
import keras
import numpy as np
x, y = np.random.rand(20, 5), np.random.rand(20, 3)
model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)])
model.compile("adam", "mse")
model.fit(x, y, verbose=0)
"""


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
