"""Inputs that are divided by half a million on their way."""

from keras import layers

from tests.support.example_networks import blobs, network, rehearsed


def scaling(factor):
    return network(layers.Rescaling(factor), layers.Dense(16, activation="relu"))


def fires():
    return rehearsed(scaling(2e-6), *blobs())


def silent():
    return rehearsed(scaling(0.1), *blobs())
