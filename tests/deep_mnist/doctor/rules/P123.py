"""Validation data that a callback was given by older versions of Keras, and those that its own __init__ keeps."""

from tests.support.programs import told


def fires():
    return told("later_faulty.txt", "held_out_data_asked_of_the_callback")


def silent():
    return told("later_healthy.txt", "held_out_data_given_to_the_callback")
