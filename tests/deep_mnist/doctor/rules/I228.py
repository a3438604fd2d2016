"""Texts in an array of numpy's text, and as objects."""

from tests.support.programs import told


def fires():
    return told("values_faulty.txt", "texts_in_an_array_of_numpy")


def silent():
    return told("values_healthy.txt", "texts_as_objects")
