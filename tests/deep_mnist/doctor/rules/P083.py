"""Two names for the loss and two metrics, and a name for each."""

from tests.support.programs import told


def fires():
    return told("later_faulty.txt", "two_names_for_three_values")


def silent():
    return told("later_healthy.txt", "as_many_names_as_values")
