"""Words numbered in the order of a set for a network that is saved, and in the order of sorted()."""

from tests.support.programs import told


def fires():
    return told("later_faulty.txt", "words_numbered_in_the_order_of_a_set")


def silent():
    return told("later_healthy.txt", "words_of_a_set_in_a_fixed_order")
