"""A logarithm of what may be negative."""

import keras
from keras import layers

from tests.support.example_networks import blobs, network, rehearsed


def fires():
    return rehearsed(network(layers.Dense(16, activation=keras.ops.log)), *blobs())


def silent():
    return rehearsed(network(layers.Dense(16, activation="softplus")), *blobs())
