"""ImageNet's means subtracted in the data and in the network, and in the network alone."""

from tests.support.programs import told


def fires():
    return told("values_faulty.txt", "means_subtracted_in_both")


def silent():
    return told("values_healthy.txt", "means_subtracted_in_the_network")
