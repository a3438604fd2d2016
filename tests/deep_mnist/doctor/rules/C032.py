"""A loss that counts mistakes by argmax, and a quantile loss."""

from tests.support.loops import faulty, healthy


def fires():
    return faulty("argmax_in_loss")


def silent():
    return healthy("quantile")
