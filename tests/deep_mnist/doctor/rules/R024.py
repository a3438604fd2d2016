"""Twelve layers of tanh whose weights start large."""

import keras
from keras import layers

from tests.support.example_networks import blobs, network, rehearsed


def deep_tanh(initializer):
    hidden = [layers.Dense(64, activation="tanh", kernel_initializer=initializer) for _ in range(12)]
    return network(*hidden, optimizer="sgd")


def fires():
    return rehearsed(deep_tanh(keras.initializers.RandomNormal(stddev=2.0, seed=1)), *blobs())


def silent():
    return rehearsed(deep_tanh("glorot_uniform"), *blobs())
