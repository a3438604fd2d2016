"""A confusion matrix of one-hot rows and class numbers, and scores of one form."""

from tests.support.programs import told


def fires():
    return told("tested_faulty.txt", "rows_beside_class_numbers")


def silent():
    return told("tested_healthy.txt", "scores_of_one_form")
