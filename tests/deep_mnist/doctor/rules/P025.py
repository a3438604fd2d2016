"""What a callback's method returned, which is None, and the callback itself."""

from tests.support.programs import told


def fires():
    return told("preparation_faulty.txt", "a_callback_called_in_the_place_of_one")


def silent():
    return told("preparation_healthy.txt", "a_callback_of_ones_own_that_returns_nothing")
