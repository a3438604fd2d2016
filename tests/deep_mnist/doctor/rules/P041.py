"""Weights for classes counted from 1, and for some of those that are there."""

from tests.support.live_examples import fitted


def fires():
    return fitted(class_weight={1: 1.0, 2: 2.0, 3: 1.0, 4: 1.0})


def silent():
    return fitted(class_weight={1: 2.0})
