"""A map whose dataset nobody takes, and one that is made again."""

from tests.support.programs import told


def fires():
    return told("preparation_faulty.txt", "a_function_mapped_to_nowhere")


def silent():
    return told("preparation_healthy.txt", "mapped_for_a_look_and_then_for_good")
