"""Examples shuffled without their labels, and both from one state."""

from tests.support.programs import told


def fires():
    return told("preparation_faulty.txt", "vectors_shuffled_without_their_kinds")


def silent():
    return told("preparation_healthy.txt", "both_shuffled_from_one_state")
