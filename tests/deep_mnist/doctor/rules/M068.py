"""Bands of a scene before its rows, and the same in front of a layer that exchanges the axes."""

from tests.support.programs import told


def fires():
    return told("values_faulty.txt", "bands_of_a_scene_before_its_rows")


def silent():
    return told("values_healthy.txt", "bands_before_rows_that_a_layer_exchanges")
