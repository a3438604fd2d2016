"""reduction="sum" in the loss."""

import keras
from keras import layers

from tests.support.example_networks import blobs, network, rehearsed


def reduced_by(reduction):
    loss = keras.losses.SparseCategoricalCrossentropy(reduction=reduction)
    return network(layers.Dense(16, activation="relu"), loss=loss)


def fires():
    return rehearsed(reduced_by("sum"), *blobs())


def silent():
    return rehearsed(reduced_by("sum_over_batch_size"), *blobs())
