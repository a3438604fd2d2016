"""An L2 of 1 on every layer, and of a thousandth."""

import keras
from keras import layers

from tests.support.example_networks import blobs, network, rehearsed


def regularized(factor):
    penalty = keras.regularizers.L2(factor)
    hidden = layers.Dense(32, activation="relu", kernel_regularizer=penalty)
    return network(hidden, kernel_regularizer=penalty, bias_regularizer=penalty)


def fires():
    return rehearsed(regularized(10.0), *blobs())


def silent():
    return rehearsed(regularized(1e-3), *blobs())
