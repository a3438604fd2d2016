"""Masks that are mirrored, and scenes that are their own mirror image."""

from tests.support.programs import told


def fires():
    return told("masks_faulty.txt", "masks_mirrored")


def silent():
    return told("masks_healthy.txt", "symmetric_scenes")
