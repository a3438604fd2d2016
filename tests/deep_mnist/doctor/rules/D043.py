"""Train divided by 255 and validation not, and both."""

from tests.support.programs import told


def fires():
    return told("values_faulty.txt", "validation_without_rescale")


def silent():
    return told("values_healthy.txt", "a_generator_of_many_ways")
