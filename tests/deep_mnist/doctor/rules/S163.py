"""Mirrored digits added before the split, and to train alone."""

from tests.support.programs import told


def fires():
    return told("splits_faulty.txt", "mirrors_added_first")


def silent():
    return told("splits_healthy.txt", "mirrors_added_to_train")
