"""A model that is measured thirty epochs behind its best one, and one whose best weights are loaded before."""

from tests.support.programs import told


def fires():
    return told("later_healthy.txt", "patience_without_the_best_epoch")


def silent():
    return told("later_healthy.txt", "the_best_epoch_loaded_before_it_is_used")
