"""Images and labels shuffled one by one and then zipped, and shuffled by one seed."""

from tests.support.programs import told


def fires():
    return told("generators_faulty.txt", "two_parts_each_in_an_order_of_its_own")


def silent():
    return told("generators_healthy.txt", "two_parts_in_the_order_of_one_seed")
