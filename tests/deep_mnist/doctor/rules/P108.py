"""Noise of as many rows as a whole batch where the last one has fewer, and noise of as many as each batch has."""

from tests.support.loops import faulty, healthy


def fires():
    return faulty("noise_of_as_many_rows_as_a_whole_batch")


def silent():
    return healthy("noise_of_as_many_rows_as_each_batch")
