"""Two flows of images and masks by two seeds, and by one."""

from tests.support.programs import told


def fires():
    return told("masks_faulty.txt", "a_function_that_steps_through_two_flows")


def silent():
    return told("masks_healthy.txt", "a_seed_of_numpy_before_each_flow")
