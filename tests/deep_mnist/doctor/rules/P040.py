"""A list of weights, and a dictionary."""

from tests.support.live_examples import fitted


def fires():
    return fitted(class_weight=[1.0, 2.0, 1.0, 1.0])


def silent():
    return fitted(class_weight={0: 1.0, 1: 2.0, 2: 1.0, 3: 1.0})
