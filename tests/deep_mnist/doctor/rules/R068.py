"""Dropout(0.9), where a tenth was to be dropped."""

from keras import layers

from tests.support.example_networks import blobs, network, rehearsed


def dropping(rate):
    halves = [(layers.Dense(16, activation="relu"), layers.Dropout(rate)) for _ in range(2)]
    return network(*(layer for half in halves for layer in half))


def fires():
    return rehearsed(dropping(0.9), *blobs())


def silent():
    return rehearsed(dropping(0.5), *blobs())
