"""A branch behind stop_gradient."""

import keras
from keras import layers

from tests.support.example_networks import blobs, rehearsed


def two_branches(last):
    x = keras.Input((8,))
    joined = layers.Concatenate()([layers.Dense(8, activation="relu")(x), last(layers.Dense(8)(x))])
    model = keras.Model(x, layers.Dense(4, activation="softmax")(joined))
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def fires():
    return rehearsed(two_branches(keras.ops.stop_gradient), *blobs())


def silent():
    return rehearsed(two_branches(keras.ops.relu), *blobs())
