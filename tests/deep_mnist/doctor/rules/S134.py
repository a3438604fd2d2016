"""Test images of bright blocks; and the digits with a little noise."""

import numpy as np

from tests.support.rule_examples import digits, judged


def fires():
    blocks = np.random.default_rng(0).random((160, 4, 4, 1), np.float32)
    return judged(digits().with_arrays(test_images=blocks.repeat(7, axis=1).repeat(7, axis=2)))


def silent():
    noise = np.random.default_rng(0).random((160, 28, 28, 1), np.float32) / 20
    return judged(digits().change(lambda images: np.clip(images + noise, 0, 1), "test_images"))
