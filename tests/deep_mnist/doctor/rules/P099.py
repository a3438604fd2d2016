"""A normalization that goes by the batch in predictions too, and one that is told of training beside such a dropout."""

from tests.support.programs import told


def fires():
    return told("later_faulty.txt", "a_class_that_always_tells_its_norm_of_training")


def silent():
    return told("later_healthy.txt", "doubts_by_dropout_that_stays_and_a_norm_that_is_told")
