"""A fraction of a step, and whole steps."""

from tests.support.live_examples import fitted


def fires():
    return fitted(steps_per_epoch=320 / 30)


def silent():
    return fitted(steps_per_epoch=320 // 32)
