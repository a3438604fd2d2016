"""A generator of one round for ten epochs, and for one."""

from tests.support.programs import told


def fires():
    return told("generators_faulty.txt", "a_generator_without_a_loop")


def silent():
    return told("generators_healthy.txt", "one_round_for_one_epoch")
