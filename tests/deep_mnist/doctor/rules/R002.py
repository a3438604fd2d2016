"""Whatever was run has a cost; what was not compiled is not run."""

import keras
from keras import layers

from tests.support.example_networks import blobs, network, rehearsed


def fires():
    return rehearsed(network(layers.Dense(16, activation="relu")), *blobs(), epochs=5)


def silent():
    return rehearsed(keras.Sequential([layers.Dense(4, activation="softmax")]), *blobs(), epochs=5)
