"""Windows of one series split by chance, and split in time."""

from tests.support.programs import told


def fires():
    return told("splits_faulty.txt", "windows_of_a_series_by_chance")


def silent():
    return told("splits_healthy.txt", "windows_of_a_series_in_time")
