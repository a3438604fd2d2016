"""A scheduler that returns a whole number, and one that returns a float."""

import keras

from tests.support.live_examples import fitted


def fires():
    return fitted(callbacks=[keras.callbacks.LearningRateScheduler(lambda epoch: 1 if epoch < 2 else 0.1)])


def silent():
    return fitted(callbacks=[keras.callbacks.LearningRateScheduler(lambda epoch: 0.01 if epoch < 2 else 0.001)])
