"""Adam at a rate of 10, where 0.001 is usual."""

import keras
from keras import layers

from tests.support.example_networks import blobs, network, rehearsed


def at_rate(rate):
    hidden = [layers.Dense(64, activation="relu") for _ in range(4)]
    return network(*hidden, optimizer=keras.optimizers.Adam(rate))


def fires():
    return rehearsed(at_rate(10.0), *blobs())


def silent():
    return rehearsed(at_rate(0.001), *blobs())
