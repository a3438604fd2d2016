"""A layer that weighs steps by a softmax of one score each, and networks that weigh them over the steps."""

from tests.support.programs import told


def fires():
    return told("sequences_faulty.txt", "steps_weighed_in_a_layer_of_ones_own")


def silent():
    return told("sequences_healthy.txt", "steps_weighed_over_the_steps")
