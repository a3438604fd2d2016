"""Labels in the order of a list of names, the images in that of the sorted files; and labels looked up by name."""

from tests.support.programs import told


def fires():
    return told("masks_faulty.txt", "labels_in_the_order_of_a_list")


def silent():
    return told("masks_healthy.txt", "labels_looked_up_by_name")
