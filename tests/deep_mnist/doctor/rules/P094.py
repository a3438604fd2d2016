"""Weights loaded into a second model of one's own at once, and after it was called on a row."""

from tests.support.programs import told


def fires():
    return told("later_faulty.txt", "a_second_model_of_ones_own_loads_the_weights")


def silent():
    return told("later_healthy.txt", "a_second_model_called_before_it_loads_the_weights")
