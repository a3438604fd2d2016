"""Five folds that train one model, and a model for each."""

from tests.support.programs import told


def fires():
    return told("splits_faulty.txt", "folds_of_one_model")


def silent():
    return told("splits_healthy.txt", "a_model_for_every_fold")
