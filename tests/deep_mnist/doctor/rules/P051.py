"""A rate of 0.001 that is lowered to 0.001 at least, and to 0.00001."""

import keras

from tests.support.live_examples import fitted


def fires():
    return fitted(callbacks=[keras.callbacks.ReduceLROnPlateau("loss", patience=2, min_lr=1e-3)])


def silent():
    return fitted(callbacks=[keras.callbacks.ReduceLROnPlateau("loss", patience=2, min_lr=1e-5)])
