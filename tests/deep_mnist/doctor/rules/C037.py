"""Logits asked for behind a sigmoid, and logits that are found again from its probabilities."""

from tests.support.loops import faulty, healthy


def fires():
    return faulty("costly_misses_counted_on_logits_behind_a_sigmoid")


def silent():
    return healthy("logits_found_again_from_probabilities")
