"""A loss of one's own that load_model() does not know, and models loaded with all that they need."""

from tests.support.programs import told


def fires():
    return told("later_faulty.txt", "loaded_without_its_loss")


def silent():
    return told("later_healthy.txt", "loaded_with_all_that_is_ones_own")
