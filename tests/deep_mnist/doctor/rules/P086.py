"""An image read behind the fit and given to predict() as bytes, and several that are scaled first."""

from tests.support.programs import told


def fires():
    return told("tested_faulty.txt", "read_behind_the_fit_and_not_scaled")


def silent():
    return told("tested_healthy.txt", "read_behind_the_fit_and_scaled")
