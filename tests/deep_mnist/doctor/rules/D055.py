"""A generator that was read to its end, and one that was not."""

from tests.support.programs import told


def fires():
    return told("generators_faulty.txt", "looked_through_before_fit")


def silent():
    return told("generators_healthy.txt", "one_round_for_one_epoch")
