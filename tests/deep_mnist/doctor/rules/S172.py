"""Categories as columns of each side, and of train's columns on both."""

from tests.support.programs import told


def fires():
    return told("preparation_faulty.txt", "kinds_of_trip_as_columns_of_each_side")


def silent():
    return told("preparation_healthy.txt", "columns_of_test_as_those_of_train")
