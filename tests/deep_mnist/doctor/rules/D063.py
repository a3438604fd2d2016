"""A list of two inputs in each batch of a generator, and a tuple of them."""

from tests.support.programs import told


def fires():
    return told("generators_faulty.txt", "two_sides_in_a_list_in_each_batch")


def silent():
    return told("generators_healthy.txt", "two_sides_in_a_tuple_in_each_batch")
