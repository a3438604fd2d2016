"""A train_step that notes its loss by numpy(), and one that is told to run eagerly."""

from tests.support.loops import faulty, healthy


def fires():
    return faulty("sums_noted_in_numbers_within_a_step")


def silent():
    return healthy("sums_noted_in_a_step_that_runs_eagerly")
