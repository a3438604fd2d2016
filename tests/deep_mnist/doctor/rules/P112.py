"""Q-learning that unpacks whether an episode ended and never reads it, and a task that goes on without an end."""

from tests.support.programs import told


def fires():
    return told("preparation_faulty.txt", "worth_of_moves_behind_the_end")


def silent():
    return told("preparation_healthy.txt", "worth_of_moves_in_a_task_without_an_end")
