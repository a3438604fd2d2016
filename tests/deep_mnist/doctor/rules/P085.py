"""an optimizer before the loop, and an optimizer for each model of a loop."""

from tests.support.programs import told


def fires():
    return told("later_faulty.txt", "an_optimizer_before_the_loop")


def silent():
    return told("later_healthy.txt", "an_optimizer_for_each_model_of_a_loop")
