"""Gradients applied to the variables in reverse, and clipped ones to their own."""

from tests.support.loops import faulty, healthy


def fires():
    return faulty("other_variables")


def silent():
    return healthy("loop_compiled_loss_object")
