"""Early stopping by "val_acc" where "val_accuracy" is logged, and by what is."""

import keras

from tests.support.live_examples import fitted

STOP = keras.callbacks.EarlyStopping


def fires():
    return fitted(metrics=["accuracy"], validation_split=0.2, callbacks=[STOP("val_acc", mode="max", patience=3)])


def silent():
    return fitted(metrics=["accuracy"], validation_split=0.2, callbacks=[STOP("val_accuracy", patience=3)])
