"""Predictions in degrees beside targets between 0 and 1, and both on one scale."""

from tests.support.programs import told


def fires():
    return told("tested_faulty.txt", "degrees_beside_shares_of_a_range")


def silent():
    return told("tested_healthy.txt", "errors_on_either_scale")
