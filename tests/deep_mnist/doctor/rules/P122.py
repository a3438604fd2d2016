"""A table of numpy's shuffled by Python's random, and a list of rows shuffled so before it becomes a table."""

from tests.support.programs import told


def fires():
    return told("preparation_faulty.txt", "a_table_shuffled_by_pythons_random")


def silent():
    return told("preparation_healthy.txt", "a_list_of_rows_shuffled_by_pythons_random")
