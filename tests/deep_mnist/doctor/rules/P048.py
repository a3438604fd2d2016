"""A hundred steps of ten batches, and ten."""

from tests.support.live_examples import fitted


def fires():
    return fitted(steps_per_epoch=100)


def silent():
    return fitted(steps_per_epoch=10)
