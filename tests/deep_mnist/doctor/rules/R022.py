"""A step function as an activation: its derivative is zero everywhere."""

import keras
from keras import layers

from tests.support.example_networks import blobs, network, rehearsed


def fires():
    return rehearsed(network(layers.Dense(16, activation=keras.ops.sign)), *blobs())


def silent():
    return rehearsed(network(layers.Dense(16, activation="tanh")), *blobs())
