"""Forecasts of one column inverted by the scaler of three, and by a scaler of their own."""

from tests.support.programs import told


def fires():
    return told("tested_faulty.txt", "forecasts_of_one_column_by_the_scaler_of_three")


def silent():
    return told("tested_healthy.txt", "a_scaler_of_the_targets_alone")
