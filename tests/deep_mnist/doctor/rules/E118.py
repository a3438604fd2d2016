"""A program that fails so, and the same mended."""

from tests.support.crashing import crashed

FAILING = """\
import keras
import numpy as np
x, y = np.random.rand(20, 5), np.arange(20) % 4 + 1
model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4, activation="softmax")])
model.compile("adam", "sparse_categorical_crossentropy")
model.fit(x, y, verbose=0)
"""
MENDED = """\
import keras
import numpy as np
x, y = np.random.rand(20, 5), np.arange(20) % 4 + 1
model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(5, activation='softmax')])
model.compile("adam", "sparse_categorical_crossentropy")
model.fit(x, y, verbose=0)
"""


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
