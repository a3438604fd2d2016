"""Targets (n,) against predictions (n, 1) in a loop, and both of one shape."""

from tests.support.loops import faulty, healthy


def fires():
    return faulty("loop_broadcasts")


def silent():
    return healthy("loop_regression")
