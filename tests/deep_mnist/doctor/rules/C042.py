"""Losses of a loop that read its variable, and such that keep it as a default."""

from tests.support.loops import faulty, healthy


def fires():
    return faulty("quantiles_of_the_last_round")


def silent():
    return healthy("quantiles_with_a_default")
