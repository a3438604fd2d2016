"""The folder above the split, and the folder below."""

from tests.support.programs import told


def fires():
    return told("masks_faulty.txt", "splits_as_classes")


def silent():
    return told("masks_healthy.txt", "same_folders_in_both")
