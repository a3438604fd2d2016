"""The class TerminateOnNaN, and an object of it."""

import keras

from tests.support.live_examples import fitted


def fires():
    return fitted(callbacks=[keras.callbacks.TerminateOnNaN])


def silent():
    return fitted(callbacks=[keras.callbacks.TerminateOnNaN()])
