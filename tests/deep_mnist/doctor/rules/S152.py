"""Sorted labels; and shuffled ones."""

import numpy as np

from tests.support.rule_examples import digits, judged

ORDER = np.argsort(digits().arrays["train_labels"], kind="stable")
SORTED = digits().change(lambda array: array[ORDER], "train_images", "train_labels")


def fires():
    return judged(SORTED)


def silent():
    return judged(digits())
