"""A path below a file, and one in a folder that is yet to be made."""

import keras

from tests.support.live_examples import fitted


def fires():
    return fitted(callbacks=[keras.callbacks.ModelCheckpoint(f"{__file__}/best.keras")])


def silent():
    return fitted(callbacks=[keras.callbacks.ModelCheckpoint("not/yet/there/best.keras")])
