"""The class by argmax of one sigmoid unit, and the likeliest row of it."""

from tests.support.programs import told


def fires():
    return told("tested_faulty.txt", "the_larger_of_one_number")


def silent():
    return told("tested_healthy.txt", "the_likeliest_row_of_one_unit")
