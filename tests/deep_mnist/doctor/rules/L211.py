"""Rows of zeros as targets of the padding, under an accuracy without weights, and under one with weights."""

from tests.support.programs import told


def fires():
    return told("sequences_faulty.txt", "signs_without_a_class_behind_the_end")


def silent():
    return told("sequences_healthy.txt", "signs_without_a_class_and_with_weights")
