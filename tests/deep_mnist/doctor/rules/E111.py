"""A program that fails so, and the same mended."""

from tests.support.crashing import crashed

FAILING = """\
import keras
import numpy as np
photo = np.random.rand(6, 6, 1)
model = keras.Sequential([keras.Input((6, 6, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
model.predict(photo, verbose=0)
"""
MENDED = """\
import keras
import numpy as np
photo = np.random.rand(6, 6, 1)
model = keras.Sequential([keras.Input((6, 6, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
photo = photo[None]
model.predict(photo, verbose=0)
"""


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
