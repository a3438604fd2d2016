"""A scaler that a method fits on the one row it predicts, and series that each have their own."""

from tests.support.programs import told


def fires():
    return told("preparation_faulty.txt", "a_price_asked_of_a_scaler_fitted_on_one_house")


def silent():
    return told("preparation_healthy.txt", "each_series_in_its_own_scale_and_back")
