"""A vocabulary that was never read, and one that was."""

from tests.support.programs import told


def fires():
    return told("values_faulty.txt", "a_vocabulary_never_read")


def silent():
    return told("values_healthy.txt", "texts_as_objects")
