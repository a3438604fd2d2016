"""Batches of digits from a generator, sorted by class and in random order."""

import numpy as np

from tests.support.live_examples import checked, drawn

images, labels = drawn(400)


def batches(order):
    for start in range(0, len(order), 40):
        yield images[order[start : start + 40]], labels[order[start : start + 40]]


def fires():
    return checked(batches(np.argsort(labels)), steps_per_epoch=10)


def silent():
    return checked(batches(np.arange(len(labels))), steps_per_epoch=10)
