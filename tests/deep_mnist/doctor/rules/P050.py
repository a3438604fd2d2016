"""Early stopping that waits for thirty epochs of twenty, and for three."""

import keras

from tests.support.live_examples import fitted


def fires():
    return fitted(callbacks=[keras.callbacks.EarlyStopping("loss", patience=30)])


def silent():
    return fitted(callbacks=[keras.callbacks.EarlyStopping("loss", patience=3)])
