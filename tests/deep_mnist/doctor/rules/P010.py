"""Accuracy() of probabilities, which never equal a one-hot row, and the accuracy of the likeliest class."""

import keras

from tests.support.live_examples import fitted, one_hot, table

ROWS = one_hot(table()[1])


def fires():
    return fitted(y=ROWS, loss="categorical_crossentropy", metrics=[keras.metrics.Accuracy()])


def silent():
    return fitted(y=ROWS, loss="categorical_crossentropy", metrics=["accuracy"])
