"""A stateful layer on shuffled sequences, and on those in order."""

from tests.support.programs import told


def fires():
    return told("arguments_faulty.txt", "stateful_shuffled")


def silent():
    return told("arguments_healthy.txt", "stateful_in_order")
