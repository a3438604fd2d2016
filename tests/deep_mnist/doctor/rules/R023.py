"""Twelve layers of sigmoid."""

from keras import layers

from tests.support.example_networks import blobs, network, rehearsed


def fires():
    return rehearsed(network(*[layers.Dense(8, activation="sigmoid") for _ in range(12)]), *blobs())


def silent():
    return rehearsed(network(*[layers.Dense(8, activation="relu") for _ in range(12)]), *blobs())
