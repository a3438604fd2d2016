"""Kernels that all start with ones, or with an orthogonal matrix."""

from keras import layers

from tests.support.example_networks import blobs, network, rehearsed


def starting_with(initializer):
    hidden = layers.Dense(16, activation="relu", kernel_initializer=initializer)
    return network(hidden, kernel_initializer=initializer)


def fires():
    return rehearsed(starting_with("ones"), *blobs())


def silent():
    return rehearsed(starting_with("orthogonal"), *blobs())
