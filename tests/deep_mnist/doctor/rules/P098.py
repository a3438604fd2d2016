"""An overlap with class numbers, and overlaps of one-hot rows, of one class and of the likeliest class."""

from tests.support.programs import told


def fires():
    return told("masks_faulty.txt", "an_overlap_of_region_numbers_beside_crossentropy")


def silent():
    return told("masks_healthy.txt", "overlaps_of_regions_in_every_sound_way")
