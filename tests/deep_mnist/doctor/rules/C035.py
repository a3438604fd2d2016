"""A negated squared error, and a negated overlap, which is to be large."""

from tests.support.loops import faulty, healthy


def fires():
    return faulty("own_mse_negated")


def silent():
    return healthy("dice_negated")
