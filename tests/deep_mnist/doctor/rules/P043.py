"""A negative weight, and positive ones."""

from tests.support.live_examples import fitted


def fires():
    return fitted(class_weight={0: 1.0, 1: -1.0})


def silent():
    return fitted(class_weight={0: 1.0, 1: 0.1})
