"""A train_step that appends its loss to a list, and one that returns it."""

from tests.support.loops import faulty, healthy


def fires():
    return faulty("train_step_keeps")


def silent():
    return healthy("train_step_of_keras_io")
