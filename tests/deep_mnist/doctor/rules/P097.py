"""An order that was set to what shuffle() returns, and one that was shuffled in place before."""

from tests.support.programs import told


def fires():
    return told("preparation_faulty.txt", "an_order_that_is_none")


def silent():
    return told("preparation_healthy.txt", "shuffled_in_place_before_they_are_paired")
