"""A layer whose arguments cannot be written, in a model that is saved, and in one whose weights alone are."""

from tests.support.programs import told


def fires():
    return told("later_faulty.txt", "a_layer_of_functions_is_saved")


def silent():
    return told("later_healthy.txt", "a_layer_of_functions_that_is_not_saved")
