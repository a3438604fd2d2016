"""Most steps are padding and count; and a mask in front of the same network."""

from tests.support.programs import told


def fires():
    return told("sequences_faulty.txt", "phases_of_short_records_in_long_rows")


def silent():
    return told("sequences_healthy.txt", "phases_of_short_records_behind_a_mask")
