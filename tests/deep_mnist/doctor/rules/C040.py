"""A metric in the place that holds the weights of losses, and weights of two losses there."""

from tests.support.programs import told


def fires():
    return told("arguments_faulty.txt", "accuracy_in_the_third_place")


def silent():
    return told("arguments_healthy.txt", "weights_of_two_losses_in_the_third_place")
