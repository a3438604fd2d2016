"""Labels one place late; and images as well."""

import numpy as np

from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().change(lambda labels: np.roll(labels, 1), "train_labels"))


def silent():
    return judged(digits().change(lambda array: np.roll(array, 1, axis=0), "train_images", "train_labels"))
