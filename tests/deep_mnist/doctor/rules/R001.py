"""A network that was not compiled."""

import keras
from keras import layers

from tests.support.example_networks import blobs, rehearsed


def fires():
    model = keras.Sequential([layers.Dense(4, activation="softmax")])
    return rehearsed(model, *blobs())


def silent():
    model = keras.Sequential([layers.Dense(4, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    return rehearsed(model, *blobs())
