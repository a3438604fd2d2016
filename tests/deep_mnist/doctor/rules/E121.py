"""A class of one's own whose maps go into an LSTM, and one that flattens them first."""

import keras
import numpy as np

from tests.support.live_examples import check, drawn


class Network(keras.Model):
    def __init__(self, last):
        super().__init__()
        self.maps = keras.layers.Conv2D(4, 3)
        self.last = last
        self.scores = keras.layers.Dense(10, activation="softmax")

    def call(self, inputs):
        return self.scores(self.last(self.maps(inputs)))


def judged(last):
    images, labels = drawn()
    model = Network(last)
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    return check(model, images, np.asarray(labels))


def fires():
    return judged(keras.layers.LSTM(8))


def silent():
    return judged(keras.layers.Flatten())
