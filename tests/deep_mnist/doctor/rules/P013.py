"""Precision of class numbers against rows of four probabilities, and accuracy."""

import keras

from tests.support.live_examples import fitted


def fires():
    return fitted(metrics=[keras.metrics.Precision()])


def silent():
    return fitted(metrics=["accuracy", keras.metrics.SparseTopKCategoricalAccuracy(2)])
