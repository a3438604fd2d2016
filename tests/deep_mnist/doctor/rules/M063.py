"""A regularizer of 10, and one of a thousandth."""

from tests.support.programs import told


def fires():
    return told("arguments_faulty.txt", "squares_of_weights_times_ten")


def silent():
    return told("arguments_healthy.txt", "squares_of_weights_times_a_thousandth")
