"""A standardization of each image without epsilon makes NaN of a blank one; with it, zeros."""

import numpy as np

from tests.support.rule_examples import digits, judged


def standardized(images, epsilon):
    images = images.copy()
    images[7] = 0
    with np.errstate(invalid="ignore"):
        return (images - images.mean((1, 2, 3), keepdims=True)) / (images.std((1, 2, 3), keepdims=True) + epsilon)


def fires():
    return judged(digits().images(lambda x: standardized(x, 0)))


def silent():
    return judged(digits().images(lambda x: standardized(x, 1e-6)))
