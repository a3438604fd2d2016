"""take() and skip() behind a shuffle that is drawn anew, and behind one that is not."""

from tests.support.programs import told


def fires():
    return told("splits_faulty.txt", "reshuffled_take_skip")


def silent():
    return told("splits_healthy.txt", "take_skip_of_a_fixed_order")
