"""Two readings of each example side by side in a list, and one array of each reading."""

from tests.support.programs import told


def fires():
    return told("generators_faulty.txt", "a_picture_and_a_table_for_each_example")


def silent():
    return told("generators_healthy.txt", "pictures_and_tables_each_in_one_array")
