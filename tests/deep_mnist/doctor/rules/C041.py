"""Three examples of a batch for three parts of each output, and one batch that is one triplet."""

from tests.support.loops import faulty, healthy


def fires():
    return faulty("three_examples_for_three_parts_of_an_output")


def silent():
    return healthy("a_batch_of_one_triplet")
