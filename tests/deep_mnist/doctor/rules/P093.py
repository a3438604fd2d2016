"""Probabilities that are made whole numbers as they are, and classes that are chosen first."""

from tests.support.programs import told


def fires():
    return told("tested_faulty.txt", "three_chances_made_whole_numbers")


def silent():
    return told("tested_healthy.txt", "chances_turned_into_classes_and_cut_where_they_are_none")
