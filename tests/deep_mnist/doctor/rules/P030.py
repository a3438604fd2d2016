"""A cosine over as many updates as there are epochs, and over all of the fit's."""

import keras

from tests.support.live_examples import fitted


def judged(steps):
    return fitted(optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(1e-3, steps)))


def fires():
    return judged(20)


def silent():
    return judged(20 * 10)
