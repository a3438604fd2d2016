"""None among images, where a file was not read; and images alone."""

from tests.support.programs import told


def fires():
    return told("values_faulty.txt", "images_that_were_not_read")


def silent():
    return told("values_healthy.txt", "images_that_were_read")
