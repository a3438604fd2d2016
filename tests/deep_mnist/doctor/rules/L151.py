"""An image lost in the middle, and a label at the end; and the image's own label."""

import numpy as np

from tests.support.rule_examples import digits, judged


def fires():
    images, labels = digits().arrays["train_images"], digits().arrays["train_labels"]
    return judged(digits().with_arrays(train_images=np.delete(images, 200, axis=0), train_labels=labels[:-1]))


def silent():
    return judged(digits().change(lambda array: np.delete(array, 200, axis=0), "train_images", "train_labels"))
