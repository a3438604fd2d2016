"""A table without a column that nobody takes, and one that is made so in place behind it."""

from tests.support.programs import told


def fires():
    return told("preparation_faulty.txt", "passengers_with_their_number")


def silent():
    return told("preparation_healthy.txt", "looked_at_and_then_done")
