"""unfrozen before the next fit, and unfrozen and compiled before the next fit."""

from tests.support.programs import told


def fires():
    return told("later_faulty.txt", "unfrozen_before_the_next_fit")


def silent():
    return told("later_healthy.txt", "unfrozen_and_compiled_before_the_next_fit")
