"""The checkpoint of the lowest accuracy, and of the highest."""

import keras

from tests.support.live_examples import fitted


def judged(mode):
    best = keras.callbacks.ModelCheckpoint("best.keras", "val_accuracy", save_best_only=True, mode=mode)
    return fitted(metrics=["accuracy"], validation_split=0.2, callbacks=[best])


def fires():
    return judged("min")


def silent():
    return judged("max")
