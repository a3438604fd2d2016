"""A divergence summed over a code beside a mean of squares, and one divided by the numbers of an example."""

from tests.support.programs import told


def fires():
    return told("values_faulty.txt", "a_code_that_costs_more_than_squares_gain_by_it")


def silent():
    return told("values_healthy.txt", "a_code_that_costs_its_share_of_the_squares")
