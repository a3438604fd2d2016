"""Inputs alone under a loss of compile(), and under one that the layers bring themselves."""

from tests.support.programs import told


def fires():
    return told("arguments_faulty.txt", "inputs_alone_under_a_loss")


def silent():
    return told("arguments_healthy.txt", "a_loss_that_a_layer_adds")
