"""Dense layers made in call, and layers without weights made there."""

from tests.support.loops import faulty, healthy


def fires():
    return faulty("dense_in_call")


def silent():
    return healthy("pooling_made_in_call")
