"""A sequence that takes the first rows whatever the index, and one that takes the index's."""

from tests.support.programs import told


def fires():
    return told("generators_faulty.txt", "index_not_used_in_slices")


def silent():
    return told("generators_healthy.txt", "slices_by_index")
