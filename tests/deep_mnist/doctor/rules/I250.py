"""Rows of padding alone before a mean of what is not masked, and before an LSTM."""

from tests.support.programs import told


def fires():
    return told("sequences_faulty.txt", "notes_without_a_word_before_a_mean")


def silent():
    return told("sequences_healthy.txt", "notes_without_a_word_before_an_lstm")
