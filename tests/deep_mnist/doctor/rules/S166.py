"""Train and test drawn by two permutations, and by one."""

from tests.support.programs import told


def fires():
    return told("splits_faulty.txt", "two_permutations")


def silent():
    return told("splits_healthy.txt", "one_draw_and_its_rest")
