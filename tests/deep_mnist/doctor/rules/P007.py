"""A BatchNormalization of forty updates, of raw amounts, and one with a smaller momentum."""

from tests.support.programs import told


def fires():
    return told("later_faulty.txt", "averages_of_forty_updates")


def silent():
    return told("later_healthy.txt", "averages_of_a_smaller_momentum")
