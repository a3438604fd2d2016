"""Targets by a name that no output has, and by those of the outputs."""

from tests.support.programs import told


def fires():
    return told("arguments_faulty.txt", "a_target_of_no_output")


def silent():
    return told("arguments_healthy.txt", "targets_and_losses_by_name")
