"""A generator that yields its first rows without end, and one whose whole set is one batch."""

from tests.support.programs import told


def fires():
    return told("generators_faulty.txt", "one_batch_again_and_again")


def silent():
    return told("generators_healthy.txt", "the_whole_set_is_one_batch")
