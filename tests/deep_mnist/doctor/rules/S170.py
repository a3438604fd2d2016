"""A scaler fitted on train and again on validation, and one that transforms validation."""

from tests.support.programs import told


def fires():
    return told("preparation_faulty.txt", "rooms_scaled_twice")


def silent():
    return told("preparation_healthy.txt", "rooms_scaled_as_train")
