"""Two subsets of a folder by two seeds, and by one."""

from tests.support.programs import told


def fires():
    return told("splits_faulty.txt", "two_seeds_of_a_folder")


def silent():
    return told("splits_healthy.txt", "one_seed_of_a_folder")
