"""A model saved without an ending, and by every path that Keras takes."""

from tests.support.programs import told


def fires():
    return told("later_faulty.txt", "saved_without_an_ending")


def silent():
    return told("later_healthy.txt", "saved_in_every_way_that_keras_takes")
