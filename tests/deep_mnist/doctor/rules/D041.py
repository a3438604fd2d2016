"""A map that adds up to 40 to pixels of 0..1, and one that adds up to 0.2."""

from tests.support.programs import told


def fires():
    return told("values_faulty.txt", "a_map_adds_bytes_to_shares")


def silent():
    return told("values_healthy.txt", "maps_in_the_right_range")
