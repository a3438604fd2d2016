"""Weights loaded by names into a second network that has others, and by names that the program states."""

from tests.support.programs import told


def fires():
    return told("later_faulty.txt", "weights_by_the_names_of_the_first_network")


def silent():
    return told("later_healthy.txt", "weights_by_names_that_are_stated")
