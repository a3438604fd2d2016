"""Every ninth image blank, and every ninth one dark."""

import numpy as np

from tests.support.rule_examples import digits, judged


def every_ninth(images, share):
    return np.where(np.arange(len(images)) % 9, 1, share).astype("float32")[:, None, None, None]


def fires():
    return judged(digits().change(lambda x: x * every_ninth(x, 0), "train_images"))


def silent():
    return judged(digits().change(lambda x: x * every_ninth(x, 0.1), "train_images"))
