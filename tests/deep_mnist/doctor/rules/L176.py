"""Validation lacks a class folder, and has all."""

from tests.support.programs import told


def fires():
    return told("masks_faulty.txt", "a_class_missing_in_validation")


def silent():
    return told("masks_healthy.txt", "same_folders_in_both")
