"""A picture read in colours and reshaped to grey ones, and one read in grey."""

from tests.support.programs import told


def fires():
    return told("tested_faulty.txt", "a_picture_in_colours_that_becomes_three")


def silent():
    return told("tested_healthy.txt", "a_grey_picture_that_stays_one")
