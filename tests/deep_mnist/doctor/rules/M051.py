"""A frozen BatchNormalization that has never seen data, behind a layer that trains; and one that trains too."""

import keras

from deep_mnist.doctor import check
from tests.support.live_examples import drawn


def network(trainable):
    layers = keras.layers
    norm = layers.BatchNormalization(trainable=trainable)
    hidden = [layers.Conv2D(4, 3, activation="relu"), norm, layers.Flatten()]
    model = keras.Sequential([keras.Input((28, 28, 1)), *hidden, layers.Dense(10, activation="softmax")])
    model.compile(loss="sparse_categorical_crossentropy")
    return model


def fires():
    return check(network(trainable=False), *drawn())


def silent():
    return check(network(trainable=True), *drawn())
