"""Brightness as a share of 0..255 on pixels of 0..1, and of 0..1."""

from tests.support.programs import told


def fires():
    return told("values_faulty.txt", "brightness_behind_a_rescaling")


def silent():
    return told("values_healthy.txt", "brightness_told_shares")
