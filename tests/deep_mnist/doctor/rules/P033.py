"""A scheduler over an optimizer that has a schedule, and over one that has a rate."""

import keras

from tests.support.live_examples import fitted


def judged(rate):
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch: 0.001 * 0.8**epoch)
    return fitted(optimizer=keras.optimizers.Adam(rate), callbacks=[schedule])


def fires():
    return judged(keras.optimizers.schedules.ExponentialDecay(1e-3, 100, 0.9))


def silent():
    return judged(1e-3)
