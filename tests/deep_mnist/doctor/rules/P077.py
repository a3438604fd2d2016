"""The root of a distance that is 0 for equal pairs, and one that is kept off 0."""

from tests.support.loops import faulty, healthy


def fires():
    return faulty("a_distance_of_equal_pairs")


def silent():
    return healthy("a_distance_kept_off_zero")
