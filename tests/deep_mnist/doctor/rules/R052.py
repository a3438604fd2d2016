"""softmax between the layers."""

from keras import layers

from tests.support.example_networks import blobs, network, rehearsed


def with_hidden(activation):
    return network(layers.Dense(64, activation=activation), layers.Dense(64, activation=activation))


def fires():
    return rehearsed(with_hidden("softmax"), *blobs())


def silent():
    return rehearsed(with_hidden("relu"), *blobs())
