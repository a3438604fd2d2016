"""What train_test_split returned, unpacked as train's part of each array and then test's; and in its own order."""

from tests.support.programs import told


def fires():
    return told("splits_faulty.txt", "parts_unpacked_by_split")


def silent():
    return told("splits_healthy.txt", "parts_unpacked_as_returned")
