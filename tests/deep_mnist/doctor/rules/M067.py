"""Features divided by the sum of the whole batch, and by that of each row."""

from tests.support.programs import told


def fires():
    return told("sequences_faulty.txt", "shares_of_the_whole_batch")


def silent():
    return told("sequences_healthy.txt", "shares_of_each_row")
