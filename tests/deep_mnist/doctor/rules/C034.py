"""A crossentropy without clipping, and a focal loss with it."""

from tests.support.loops import faulty, healthy


def fires():
    return faulty("crossentropy_without_clipping")


def silent():
    return healthy("focal")
