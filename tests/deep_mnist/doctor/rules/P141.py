"""Batches without end and no number of steps, and the same with the steps of an epoch."""

from tests.support.programs import told


def fires():
    return told("generators_faulty.txt", "rows_without_end_and_no_steps")


def silent():
    return told("generators_healthy.txt", "rows_without_end_and_their_steps")
