"""A frozen copy of a network's structure, and copies that are trained or get the weights."""

from tests.support.programs import told


def fires():
    return told("later_faulty.txt", "a_copy_of_the_structure_is_frozen")


def silent():
    return told("later_healthy.txt", "copies_that_are_trained_or_get_weights")
