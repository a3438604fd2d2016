"""Predictions on a generator that shuffles beside its classes, and both in one order."""

from tests.support.programs import told


def fires():
    return told("tested_faulty.txt", "classes_of_a_generator_that_shuffles")


def silent():
    return told("tested_healthy.txt", "labels_and_predictions_of_one_reading")
