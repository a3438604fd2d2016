"""Sorted labels and shuffle=False; and shuffle=True."""

import numpy as np

from tests.support.rule_examples import digits, judged

ORDER = np.argsort(digits().arrays["train_labels"], kind="stable")
SORTED = digits().change(lambda array: array[ORDER], "train_images", "train_labels")


def fires():
    return judged(SORTED.with_settings(fit={"shuffle": False}))


def silent():
    return judged(SORTED.with_settings(fit={"shuffle": True}))
