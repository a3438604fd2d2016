"""A reader that attends to the padding of texts, and one that attends to their words, in both directions and back."""

from tests.support.programs import told


def fires():
    return told("sequences_faulty.txt", "attention_to_the_padding_of_texts")


def silent():
    return told("sequences_healthy.txt", "attention_to_the_words_of_texts")
