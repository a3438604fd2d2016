"""Masks of 0 and 255 as files hold them, and divided."""

from tests.support.programs import told


def fires():
    return told("masks_faulty.txt", "masks_under_validation_split")


def silent():
    return told("masks_healthy.txt", "masks_divided")
