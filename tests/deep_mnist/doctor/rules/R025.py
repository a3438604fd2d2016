"""A rate a million times too high, seen by the watchdog while the network is trained."""

import keras
from keras import layers

from tests.support.example_networks import blobs, network, watched


def at_rate(rate):
    hidden = [layers.Dense(16, activation="relu"), layers.Dense(16, activation="relu")]
    return network(*hidden, optimizer=keras.optimizers.Adam(rate))


def fires():
    return watched(at_rate(1000.0), *blobs(), epochs=10)


def silent():
    return watched(at_rate(0.001), *blobs(), epochs=10)
