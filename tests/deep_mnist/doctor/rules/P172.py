"""Scores that compiled_metrics counts as the loss, and a step that returns the loss itself."""

from tests.support.programs import told


def fires():
    return told("classes_faulty.txt", "scores_counted_as_the_loss")


def silent():
    return told("classes_healthy.txt", "metrics_of_old_without_a_mean_among_them")
