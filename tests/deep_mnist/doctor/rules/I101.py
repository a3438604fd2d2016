"""All images blank, and a few of them."""

import numpy as np

from tests.support.rule_examples import digits, judged


def blank_at_times(images):
    return images * (np.arange(len(images)) % 200 > 0)[:, None, None, None]


def fires():
    return judged(digits().images(lambda x: 0 * x))


def silent():
    return judged(digits().change(blank_at_times, "train_images"))
