"""One label of NaN in a file of floats; and that example left out."""

import numpy as np

from tests.support.rule_examples import digits, judged


def fires():
    labels = digits().arrays["train_labels"].astype(float)
    labels[7] = np.nan
    return judged(digits().with_arrays(train_labels=labels))


def silent():
    return judged(digits().change(lambda array: np.delete(array, 7, axis=0), "train_images", "train_labels"))
