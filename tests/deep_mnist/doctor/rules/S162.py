"""A table whose rare class was repeated before the split, and after it."""

from tests.support.programs import told


def fires():
    return told("splits_faulty.txt", "oversampled_table")


def silent():
    return told("splits_healthy.txt", "oversampled_after_the_split")
