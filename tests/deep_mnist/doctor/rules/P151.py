"""Fewer rows to validate on than a batch holds, and as many."""

from tests.support.programs import told


def fires():
    return told("generators_faulty.txt", "fewer_rows_to_validate_on_than_a_batch")


def silent():
    return told("generators_healthy.txt", "one_batch_of_rows_to_validate_on")
