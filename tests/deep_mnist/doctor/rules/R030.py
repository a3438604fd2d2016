"""Biases so low that no example ever reaches the units."""

import keras
from keras import layers

from tests.support.example_networks import blobs, network, rehearsed


def fires():
    low = keras.initializers.Constant(-100.0)
    return rehearsed(network(layers.Dense(16, activation="relu", bias_initializer=low)), *blobs())


def silent():
    return rehearsed(network(layers.Dense(16, activation="relu", bias_initializer="zeros")), *blobs())
