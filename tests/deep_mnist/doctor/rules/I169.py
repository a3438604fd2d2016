"""Returns of a minute for an LSTM as they are, and standardized."""

import numpy as np

from deep_mnist.doctor import check

RETURNS = np.random.default_rng(0).normal(0, 3e-4, (200, 12, 1))


def found(series):
    import keras
    from keras import layers

    model = keras.Sequential([keras.Input((12, 1)), layers.LSTM(4), layers.Dense(1)])
    model.compile("adam", "mse")
    return check(model, series, np.sin(np.arange(200.0)), epochs=10)


def fires():
    return found(RETURNS)


def silent():
    return found(RETURNS / 3e-4)
