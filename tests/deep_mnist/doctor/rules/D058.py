"""Batches of three sizes for a network of one, and for one that takes any."""

from tests.support.programs import told


def fires():
    return told("generators_faulty.txt", "sizes_as_in_the_files")


def silent():
    return told("generators_healthy.txt", "images_of_any_size")
