"""A regression at a rate that throws the weights further away with every step."""

import keras

from tests.support.example_networks import blobs, network, rehearsed


def regression(rate):
    return network(optimizer=keras.optimizers.SGD(rate), loss="mse", units=1, activation=None)


def fires():
    return rehearsed(regression(10.0), *blobs())


def silent():
    return rehearsed(regression(0.01), *blobs())
