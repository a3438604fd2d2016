"""A metric of an own loop that goes on over all epochs, and metrics that are reset in a loop over them."""

from tests.support.loops import faulty, healthy


def fires():
    return faulty("accuracies_of_all_epochs_together")


def silent():
    return healthy("metrics_reset_in_a_loop_and_a_mean_of_one_epoch")
