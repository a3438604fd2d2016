"""predict() behind the fit, of one row and of a slice of one row."""

from tests.support.programs import told


def fires():
    return told("later_faulty.txt", "one_flower_of_the_array")


def silent():
    return told("later_healthy.txt", "one_flower_as_a_batch")
