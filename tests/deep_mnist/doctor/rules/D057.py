"""Examples and labels shuffled by two draws, and by one seed."""

from tests.support.programs import told


def fires():
    return told("generators_faulty.txt", "shuffled_one_by_one")


def silent():
    return told("generators_healthy.txt", "one_seed_for_both_shuffles")
