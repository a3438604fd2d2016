"""Names of classes written as they came to mind, and in the order of the folders."""

from tests.support.programs import told


def fires():
    return told("masks_faulty.txt", "pebbles_named_as_they_came_to_mind")


def silent():
    return told("masks_healthy.txt", "pebbles_named_in_the_order_of_the_folders")
