"""Rows with several classes at once under a softmax, and under sigmoids."""

from tests.support.programs import told


def fires():
    return told("values_faulty.txt", "several_kinds_at_once_under_softmax")


def silent():
    return told("values_healthy.txt", "several_kinds_at_once")
