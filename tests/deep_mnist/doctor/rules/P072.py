"""A model with Dropout called without training=True, and one with it."""

from tests.support.loops import faulty, healthy


def fires():
    return faulty("loop_without_training")


def silent():
    return healthy("train_step_of_keras_io")
