"""Batches with one label more than examples, and with as many."""

from tests.support.programs import told


def fires():
    return told("generators_faulty.txt", "one_label_more")


def silent():
    return told("generators_healthy.txt", "endless_rounds")
