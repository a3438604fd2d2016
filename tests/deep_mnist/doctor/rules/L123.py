"""Every seventh one-hot row overwritten by zeros; and rows smoothed."""

import numpy as np

from tests.support.rule_examples import digits, judged


def fires():
    empty = np.arange(400) % 7 == 0
    return judged(digits().one_hot().change(lambda rows: rows * ~empty[:, None], "train_labels"))


def silent():
    return judged(digits().one_hot().labels(lambda rows: rows * 0.9 + 0.01))
