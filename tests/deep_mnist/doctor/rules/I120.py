"""Half of a header of 16 bytes taken for pixels; a border of one value has no seam."""

import numpy as np

from tests.support.rule_examples import digits, judged


def bordered(images):
    images = images.copy()
    images[:, :2], images[:, :, :2] = 1, 1
    return images


def fires():
    return judged(digits().images(lambda x: np.roll(x.reshape(-1), 8).reshape(x.shape)))


def silent():
    return judged(digits().images(bordered))
