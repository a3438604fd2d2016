"""One review given to a tokenizer, and reviews in lists."""

from tests.support.programs import told


def fires():
    return told("preparation_faulty.txt", "one_review_in_place_of_a_list")


def silent():
    return told("preparation_healthy.txt", "reviews_in_lists_and_letters_of_one_text")
