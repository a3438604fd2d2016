"""A window that keeps its oldest steps, and windows that move on."""

from tests.support.programs import told


def fires():
    return told("tested_faulty.txt", "the_oldest_hours_kept_in_the_window")


def silent():
    return told("tested_healthy.txt", "windows_that_move_on")
