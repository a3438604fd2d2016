"""A layer that asks for the size of its batch, and one that asks as the graph runs."""

from tests.support.programs import told


def fires():
    return told("classes_faulty.txt", "flattened_by_the_size_of_the_batch")


def silent():
    return told("classes_healthy.txt", "flattened_by_the_size_that_a_graph_has")
