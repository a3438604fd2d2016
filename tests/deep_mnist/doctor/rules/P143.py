"""Two inputs and labels in a row, and two inputs nested, with labels and weights behind them."""

from tests.support.programs import told


def fires():
    return told("generators_faulty.txt", "two_pictures_and_their_kind_in_a_row")


def silent():
    return told("generators_healthy.txt", "two_pictures_nested_and_weights_of_examples")
