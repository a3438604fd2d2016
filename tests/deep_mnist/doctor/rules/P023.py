"""A path with the validation loss in it, without validation and with it."""

import keras

from tests.support.live_examples import fitted

PATH = "at-{epoch:02d}-{val_loss:.3f}.keras"


def fires():
    return fitted(callbacks=[keras.callbacks.ModelCheckpoint(PATH)])


def silent():
    return fitted(callbacks=[keras.callbacks.ModelCheckpoint(PATH)], validation_split=0.2)
