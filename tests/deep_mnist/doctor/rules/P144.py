"""A callback that fit() does not get, and one in a list that it gets, beside one that only draws curves."""

from tests.support.programs import told


def fires():
    return told("preparation_faulty.txt", "a_stop_that_fit_never_hears_of")


def silent():
    return told("preparation_healthy.txt", "a_board_of_curves_that_is_not_used")
