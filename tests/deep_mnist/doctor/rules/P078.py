"""A train_step alone, fitted with a validation_split, and one with a test_step beside it."""

from tests.support.loops import faulty, healthy


def fires():
    return faulty("squeezed_rows_held_out_without_a_loss")


def silent():
    return healthy("squeezed_rows_held_out_with_a_step_of_their_own")
