"""A sequence that takes its index for a row, and one that multiplies it."""

from tests.support.programs import told


def fires():
    return told("generators_faulty.txt", "index_taken_for_a_row")


def silent():
    return told("generators_healthy.txt", "slices_by_index")
