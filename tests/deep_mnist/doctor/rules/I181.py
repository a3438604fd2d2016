"""A Lambda that doubles bytes, and one that divides them."""

from tests.support.programs import told


def fires():
    return told("values_faulty.txt", "a_lambda_that_shifts_bytes")


def silent():
    return told("values_healthy.txt", "a_lambda_that_scales_bytes")
