"""The model is called before the tape is opened, and inside of it."""

from tests.support.loops import faulty, healthy


def fires():
    return faulty("tape_outside")


def silent():
    return healthy("loop_regression")
