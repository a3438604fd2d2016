"""A loss of numpy's functions, and one of Keras's operations."""

from tests.support.loops import faulty, healthy


def fires():
    return faulty("numpy_in_loss")


def silent():
    return healthy("own_rmse")
