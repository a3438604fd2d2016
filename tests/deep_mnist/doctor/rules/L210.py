"""A generator that aims at what its judge learns to call made; and one whose judge marks by one what is made."""

from tests.support.loops import faulty, healthy


def fires():
    return faulty("rivals_in_turn_with_one_wish")


def silent():
    return healthy("what_is_made_marked_by_one")
