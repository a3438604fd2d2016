"""A class in ten that weighs a tenth, and one that weighs more."""

import numpy as np

from tests.support.live_examples import fitted, network

ANSWERS = (np.arange(320) % 10 == 0).astype(int)


def judged(**weights):
    return fitted(network(1, "sigmoid"), ANSWERS, loss="binary_crossentropy", **weights)


def fires():
    return judged(class_weight={0: 0.9, 1: 0.1})


def silent():
    return judged(class_weight={0: 0.55, 1: 5.0})
