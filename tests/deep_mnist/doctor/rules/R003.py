"""A network that learns nothing, and too few steps to find out why."""

from keras import layers

from tests.support.example_networks import blobs, network, rehearsed


def scaled_away():
    return network(layers.Rescaling(2e-6), layers.Dense(16, activation="relu"))


def fires():
    return rehearsed(scaled_away(), *blobs(), steps=100)


def silent():
    return rehearsed(scaled_away(), *blobs())  # says R052
