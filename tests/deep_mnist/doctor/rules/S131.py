"""Every test image rotated by 90 degrees; and every image of both splits."""

import numpy as np

from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().change(lambda images: np.rot90(images, 1, (1, 2)), "test_images"))


def silent():
    return judged(digits().images(lambda images: np.rot90(images, 1, (1, 2))))
