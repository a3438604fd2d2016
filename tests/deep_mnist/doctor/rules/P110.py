"""A call() that asks a layer for its first state by the batch, where Keras 3 takes the batch's size."""

from tests.support.programs import told


def fires():
    return told("classes_faulty.txt", "a_first_state_of_the_batch_itself")


def silent():
    return told("classes_healthy.txt", "a_first_state_of_as_many_rows")
