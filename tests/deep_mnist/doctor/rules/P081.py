"""predict_classes of a model, and of a class that defines it."""

from tests.support.programs import told


def fires():
    return told("later_faulty.txt", "classes_by_a_method_that_is_gone")


def silent():
    return told("later_healthy.txt", "attributes_of_ones_own")
