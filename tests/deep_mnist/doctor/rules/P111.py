"""The one greatest of all chances of many rows, and that of one row alone."""

from tests.support.programs import told


def fires():
    return told("tested_faulty.txt", "the_kind_of_all_flowers_at_once")


def silent():
    return told("tested_healthy.txt", "the_kind_of_one_flower_and_the_surest_of_each_kind")
