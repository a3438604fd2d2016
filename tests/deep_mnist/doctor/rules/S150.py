"""validation_split=0.2 on sorted labels; and on shuffled ones."""

import numpy as np

from tests.support.rule_examples import digits, judged

ORDER = np.argsort(digits().arrays["train_labels"], kind="stable")
SORTED = digits().change(lambda array: array[ORDER], "train_images", "train_labels")


def fires():
    return judged(SORTED.with_settings(fit={"validation_split": 0.2}))


def silent():
    return judged(digits().with_settings(fit={"validation_split": 0.2}))
