"""A test table whose columns stand in another order, and one that was renamed."""

from tests.support.programs import told


def fires():
    return told("preparation_faulty.txt", "columns_of_test_in_another_order")


def silent():
    return told("preparation_healthy.txt", "columns_of_test_by_other_names")
