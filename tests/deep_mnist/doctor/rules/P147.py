"""predict() behind the fit, of a list of numbers and of an array of them."""

from tests.support.programs import told


def fires():
    return told("later_faulty.txt", "a_flower_written_as_a_list")


def silent():
    return told("later_healthy.txt", "numbers_written_into_an_array")
