"""A relu behind negative weights and positive inputs, and behind weights as they are drawn."""

import keras
import numpy as np

from tests.support.live_examples import fitted, network, table


def judged(kernel):
    last = keras.layers.Dense(1, activation="relu", kernel_initializer=kernel)
    model = keras.Sequential([*network().layers[:1], last])
    return fitted(model, np.abs(table()[0]).sum(axis=1), loss="mean_squared_error")


def fires():
    return judged(keras.initializers.Constant(-0.1))


def silent():
    return judged(keras.initializers.Constant(0.1))
