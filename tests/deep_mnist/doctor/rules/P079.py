"""An image read by OpenCV for a network of images that Keras read, and one whose channels are turned."""

from tests.support.programs import told


def fires():
    return told("masks_faulty.txt", "a_pebble_read_blue_first")


def silent():
    return told("masks_healthy.txt", "a_pebble_read_blue_first_and_turned")
