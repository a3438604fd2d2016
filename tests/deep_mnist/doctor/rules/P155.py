"""Logits cut at 0.5, and at 0."""

from tests.support.programs import told


def fires():
    return told("tested_faulty.txt", "logits_cut_at_one_half_in_a_function")


def silent():
    return told("tested_healthy.txt", "logits_cut_in_their_middle_or_behind_a_sigmoid")
