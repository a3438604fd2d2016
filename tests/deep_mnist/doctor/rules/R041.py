"""Inputs in the thousands."""

from keras import layers

from tests.support.example_networks import blobs, network, rehearsed


def fires():
    x, y = blobs()
    return rehearsed(network(layers.Dense(16, activation="relu")), 1000 * x, y)


def silent():
    x, y = blobs()
    return rehearsed(network(layers.Dense(16, activation="relu")), x, y)
