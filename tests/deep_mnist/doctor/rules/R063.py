"""Plain SGD at 0.00015 for fifteen epochs of sixteen batches, and at 0.001."""

import keras
from keras import layers

from tests.support.example_networks import blobs, network, rehearsed


def at_rate(rate):
    keras.utils.set_random_seed(0)
    return network(layers.Dense(16, activation="relu"), optimizer=keras.optimizers.SGD(rate))


def fires():
    return rehearsed(at_rate(1.5e-4), *blobs(), batch_size=16, epochs=15, examples=256)


def silent():
    return rehearsed(at_rate(1e-3), *blobs(), batch_size=16, epochs=15, examples=256)
