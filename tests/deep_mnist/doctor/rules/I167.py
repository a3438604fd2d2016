"""A GRU that reads seventy zeros behind a few words, and one that reads from behind, too."""

from tests.support.programs import told


def fires():
    return told("sequences_faulty.txt", "few_words_and_many_zeros_behind_them")


def silent():
    return told("sequences_healthy.txt", "few_words_and_many_zeros_behind_them_read_both_ways")
