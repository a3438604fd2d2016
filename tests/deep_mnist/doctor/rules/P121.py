"""A rate that compile() never hears of, and one that it gets."""

from tests.support.programs import told


def fires():
    return told("preparation_faulty.txt", "a_rate_that_compile_never_hears_of")


def silent():
    return told("preparation_healthy.txt", "optimizers_that_are_used_somewhere")
