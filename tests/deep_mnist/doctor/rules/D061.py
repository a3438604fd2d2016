"""An ImageDataGenerator centers by a mean that nothing measured, and by one of the training images."""

from tests.support.programs import told


def fires():
    return told("generators_faulty.txt", "centered_by_a_mean_never_measured")


def silent():
    return told("generators_healthy.txt", "centered_by_a_mean_of_train")
