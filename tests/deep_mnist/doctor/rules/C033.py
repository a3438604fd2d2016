"""The logarithm of predictions below zero, and a likelihood with the exponential of a unit."""

from tests.support.loops import faulty, healthy


def fires():
    return faulty("log_of_linear_output")


def silent():
    return healthy("gaussian_likelihood")
