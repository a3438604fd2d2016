"""Features of pictures that come in an order of chance beside labels as they lie, and of pictures in their order."""

from tests.support.programs import told


def fires():
    return told("tested_faulty.txt", "features_of_a_flow_that_shuffles")


def silent():
    return told("tested_healthy.txt", "features_of_a_flow_in_its_order")
