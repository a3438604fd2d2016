"""A program that fails so, and the same mended."""

from tests.support.crashing import crashed

FAILING = """\
import keras
import numpy as np
x, y = np.random.rand(10, 5, 2), np.random.rand(10, 1)
model = keras.Sequential([keras.Input((5, 2), batch_size=4), keras.layers.LSTM(1, stateful=True)])
model.compile("adam", "mse")
model.fit(x, y, batch_size=4, verbose=0)
"""
MENDED = """\
import keras
import numpy as np
x, y = np.random.rand(10, 5, 2), np.random.rand(10, 1)
model = keras.Sequential([keras.Input((5, 2), batch_size=4), keras.layers.LSTM(1, stateful=True)])
model.compile("adam", "mse")
x = x[:8]; y = y[:8]
model.fit(x, y, batch_size=4, verbose=0)
"""


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
