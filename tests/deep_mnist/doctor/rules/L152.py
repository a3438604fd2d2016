"""Every second label drawn anew; and every fiftieth."""

import numpy as np

from tests.support.rule_examples import digits, judged

PLACE, DRAWN = np.arange(400), np.random.default_rng(5).integers(0, 10, 400)


def fires():
    return judged(digits().change(lambda labels: np.where(PLACE % 2, DRAWN, labels), "train_labels"))


def silent():
    return judged(digits().change(lambda labels: np.where(PLACE % 50, labels, DRAWN), "train_labels"))
