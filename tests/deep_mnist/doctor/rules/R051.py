"""A rate of a hundred-millionth for plain SGD."""

import keras
from keras import layers

from tests.support.example_networks import blobs, network, rehearsed


def at_rate(rate):
    return network(layers.Dense(16, activation="relu"), optimizer=keras.optimizers.SGD(rate))


def fires():
    return rehearsed(at_rate(1e-8), *blobs())


def silent():
    return rehearsed(at_rate(0.1), *blobs())
