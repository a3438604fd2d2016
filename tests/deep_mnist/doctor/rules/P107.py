"""Errors of a batch that the tape adds up, and losses that were divided by the size of the batch."""

from tests.support.loops import faulty, healthy


def fires():
    return faulty("errors_of_a_batch_added_up_by_the_tape")


def silent():
    return healthy("losses_of_a_batch_divided_by_its_size")
