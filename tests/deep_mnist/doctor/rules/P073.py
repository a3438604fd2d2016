"""A train_step that applies no gradient, and one of two optimizers."""

from tests.support.loops import faulty, healthy


def fires():
    return faulty("train_step_never_applies")


def silent():
    return healthy("gan_step")
