"""The accuracy of a distance where 1 stands for alike, and where it stands for different."""

from tests.support.programs import told


def fires():
    return told("watched_faulty.txt", "likeness_of_pairs_that_is_a_distance")


def silent():
    return told("watched_healthy.txt", "unlikeness_of_pairs_that_is_a_distance")
