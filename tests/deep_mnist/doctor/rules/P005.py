"""A stateful layer and an incomplete last batch, and whole ones."""

from tests.support.programs import told


def fires():
    return told("values_faulty.txt", "stateful_rest_of_an_epoch")


def silent():
    return told("arguments_healthy.txt", "stateful_in_order")
