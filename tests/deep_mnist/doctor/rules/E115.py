"""A program that fails so, and the same mended."""

from tests.support.crashing import crashed

FAILING = """\
import keras
import numpy as np
x, y = np.random.rand(20, 5), np.arange(20) % 4
network = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4, activation="softmax")])
network.fit(x, y, verbose=0)
"""
MENDED = """\
import keras
import numpy as np
x, y = np.random.rand(20, 5), np.arange(20) % 4
network = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4, activation="softmax")])
network.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
network.fit(x, y, verbose=0)
"""


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
