"""Shares of 0..1 into frozen layers that were trained on bytes, and darker pictures than theirs."""

from tests.support.programs import told


def fires():
    return told("values_faulty.txt", "shares_into_frozen_layers_that_knew_bytes")


def silent():
    return told("values_healthy.txt", "frozen_layers_that_knew_brighter_pictures")
