"""Recall of a rare class over both columns of a softmax, and metrics of one column, of three classes and of tags."""

from tests.support.programs import told


def fires():
    return told("values_faulty.txt", "recall_of_the_rare_over_both_columns")


def silent():
    return told("values_healthy.txt", "precision_of_one_column_of_three_and_of_tags")
