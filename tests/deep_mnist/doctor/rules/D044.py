"""preprocess_input with a rescale behind it, and a function that leaves bytes for it."""

from tests.support.programs import told


def fires():
    return told("values_faulty.txt", "rescaled_behind_the_function_of_a_known_network")


def silent():
    return told("values_healthy.txt", "a_function_on_bytes_and_then_a_255th")
