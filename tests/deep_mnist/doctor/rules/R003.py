"""A network that learns nothing, and too few steps to find out why."""

from keras import layers

from tests.support.example_networks import blobs, network, rehearsed


def hidden_softmax():
    return network(layers.Dense(64, activation="softmax"), layers.Dense(64, activation="softmax"))


def fires():
    return rehearsed(hidden_softmax(), *blobs(), steps=100)


def silent():
    return rehearsed(hidden_softmax(), *blobs(), steps=150)  # says R052
