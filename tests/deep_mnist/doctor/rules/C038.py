"""Clipped probabilities of an output without activation, and a loss of logits behind such a one."""

from tests.support.loops import faulty, healthy


def fires():
    return faulty("marks_of_several_labels_clipped_without_a_sigmoid")


def silent():
    return healthy("a_loss_called_bce_of_logits")
