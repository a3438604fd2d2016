"""Images shuffled without their masks, and masks of nothing that an image shows."""

from tests.support.programs import told


def fires():
    return told("masks_faulty.txt", "images_shuffled_alone")


def silent():
    return told("masks_healthy.txt", "masks_of_hidden_things")
