"""A Lambda that divides once more, and one that divides bytes."""

from tests.support.programs import told


def fires():
    return told("values_faulty.txt", "a_lambda_scales_once_more")


def silent():
    return told("values_healthy.txt", "a_lambda_that_scales_bytes")
