"""A program that fails so, and the same mended."""

from tests.support.crashing import crashed

FAILING = """\
import keras
import numpy as np
x_train, y_train = np.random.rand(20, 5), np.zeros(20)
x_test, y_test = np.random.rand(6, 5), np.zeros(6)
model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(1)])
model.compile("adam", "mse")
model.fit(x_train, y_test, verbose=0)
"""
MENDED = """\
import keras
import numpy as np
x_train, y_train = np.random.rand(20, 5), np.zeros(20)
x_test, y_test = np.random.rand(6, 5), np.zeros(6)
model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(1)])
model.compile("adam", "mse")
model.fit(x_train, y_train)
"""


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
