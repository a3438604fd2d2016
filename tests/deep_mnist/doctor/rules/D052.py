"""A sequence whose length counts rows, and one whose length counts batches."""

from tests.support.programs import told


def fires():
    return told("generators_faulty.txt", "length_counts_rows")


def silent():
    return told("generators_healthy.txt", "slices_by_index")
