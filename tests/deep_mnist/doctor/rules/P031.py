"""A scheduler that begins after the fit ends, and one that begins within it."""

import keras

from tests.support.live_examples import fitted


def judged(epochs):
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate if epoch < 10 else rate * 0.9)
    return fitted(epochs=epochs, callbacks=[schedule])


def fires():
    return judged(10)


def silent():
    return judged(20)
