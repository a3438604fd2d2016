"""A loss of a union with class numbers, and one of the right class's own chance."""

from tests.support.programs import told


def fires():
    return told("masks_faulty.txt", "a_loss_whose_second_part_unites_region_numbers")


def silent():
    return told("masks_healthy.txt", "a_loss_of_regions_by_their_own_chance")
