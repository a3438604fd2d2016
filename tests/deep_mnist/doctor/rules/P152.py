"""A layer of the name of predict(), and one of a name of its own."""

from tests.support.programs import told


def fires():
    return told("later_faulty.txt", "a_layer_in_the_place_of_predict")


def silent():
    return told("later_healthy.txt", "a_layer_called_predictor")
