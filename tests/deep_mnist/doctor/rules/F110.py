"""Images of several heights, saved as objects; stacked they are an array of numbers."""

import numpy as np

from tests.support.rule_examples import digits, judged


def cropped(images):
    return np.array([image[: 28 - index % 2] for index, image in enumerate(images)], object)


def fires():
    return judged(digits().change(cropped, "train_images"))


def silent():
    return judged(digits().change(lambda x: np.stack(list(x)), "train_images"))
