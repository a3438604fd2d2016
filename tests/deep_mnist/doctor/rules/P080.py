"""Curves by "acc" of a fit that logs "accuracy", and of one whose metric is named so."""

from tests.support.programs import told


def fires():
    return told("later_faulty.txt", "curves_by_the_old_name")


def silent():
    return told("later_healthy.txt", "curves_of_a_metric_named_acc")
