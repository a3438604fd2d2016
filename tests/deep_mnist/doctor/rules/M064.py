"""A convolution whose output is written over, and branches under one name that are all read."""

from tests.support.programs import told


def fires():
    return told("classes_faulty.txt", "a_convolution_that_no_layer_reads")


def silent():
    return told("classes_healthy.txt", "a_builder_that_is_never_called")
