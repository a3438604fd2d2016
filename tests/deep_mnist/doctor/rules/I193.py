"""Real images of 0..1 beside a generator that ends in tanh, and both of one range."""

from tests.support.loops import faulty, healthy


def fires():
    return faulty("spots_of_zero_to_one_beside_those_of_tanh")


def silent():
    return healthy("spots_of_one_range_beside_those_of_tanh")
