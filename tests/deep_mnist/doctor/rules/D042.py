"""A brightness_range around 0, and one around 1."""

from tests.support.programs import told


def fires():
    return told("values_faulty.txt", "a_factor_taken_for_an_amount")


def silent():
    return told("values_healthy.txt", "a_generator_of_many_ways")
