"""A share of a dataset's batches asked for, and a share beside validation data, which Keras passes over."""

from tests.support.programs import told


def fires():
    return told("generators_faulty.txt", "a_share_of_a_dataset_that_shuffles")


def silent():
    return told("generators_healthy.txt", "a_share_beside_validation_data_of_a_dataset")
