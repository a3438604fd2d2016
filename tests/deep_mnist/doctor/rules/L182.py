"""One flow that turns images beside their masks, and one that changes their brightness alone."""

from tests.support.programs import told


def fires():
    return told("masks_faulty.txt", "outlines_beside_scenes_in_one_flow")


def silent():
    return told("masks_healthy.txt", "scenes_of_two_brightnesses_and_their_outlines")
