"""A second derivative of what the outer tape does not watch; watched, the same step runs."""

from tests.support.loops import faulty, healthy


def fires():
    return faulty("bending_of_an_unwatched_place")


def silent():
    return healthy("bending_of_a_watched_place")
