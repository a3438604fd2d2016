"""Labels beside a dataset of inputs, and a dataset that holds both."""

from tests.support.programs import told


def fires():
    return told("generators_faulty.txt", "labels_beside_a_dataset_of_rows")


def silent():
    return told("generators_healthy.txt", "weights_of_rows_in_a_dataset")
