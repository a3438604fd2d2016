"""-999 among small numbers, and a few far values beside a column of two codes."""

from tests.support.programs import told


def fires():
    return told("tables_faulty.txt", "stations_that_were_silent")


def silent():
    return told("tables_healthy.txt", "a_few_far_values_and_codes_of_two")
