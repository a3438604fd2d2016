"""A program that fails so, and the same mended."""

from tests.support.crashing import crashed

FAILING = """\
import keras
import numpy as np
class Network(keras.Model):
    def __init__(self):
        super().__init__()
    def call(self, x):
        return keras.layers.Dense(3)(x)
model = Network()
model.compile("adam", "mse")
model.fit(np.random.rand(8, 2), np.random.rand(8, 3), verbose=0)
"""
MENDED = """\
import keras
import numpy as np
class Network(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(3)
    def call(self, x):
        return self.dense(x)
model = Network()
model.compile("adam", "mse")
model.fit(np.random.rand(8, 2), np.random.rand(8, 3), verbose=0)
"""


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
