"""Labels beside a column of chances, and beside the classes that these stand for."""

from tests.support.programs import told


def fires():
    return told("tested_faulty.txt", "labels_beside_a_column_of_chances")


def silent():
    return told("tested_healthy.txt", "labels_beside_classes_on_one_axis")
