"""A recall of functions that keras.backend no longer has, and the same of tensorflow.keras's backend."""

from tests.support.loops import faulty, healthy


def fires():
    return faulty("recall_of_the_old_backend")


def silent():
    return healthy("recall_of_tensorflows_backend")
