"""Labels shuffled without their images; and both in one order."""

import numpy as np

from tests.support.rule_examples import digits, judged

ORDER = np.random.default_rng(5).permutation(400)


def fires():
    return judged(digits().change(lambda labels: labels[ORDER], "train_labels"))


def silent():
    return judged(digits().change(lambda array: array[ORDER], "train_images", "train_labels"))
