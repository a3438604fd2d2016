"""A notebook's folder among the class folders, and folders of classes alone."""

from tests.support.programs import told


def fires():
    return told("masks_faulty.txt", "checkpoints_among_the_classes")


def silent():
    return told("masks_healthy.txt", "same_folders_in_both")
