"""Noise, and digits."""

import numpy as np

from tests.support.digits import draw_digits
from tests.support.request_examples import warned

X = draw_digits(4, seed=9)[0]


def fires():
    return warned(np.random.default_rng(0).integers(0, 256, X.shape).astype(np.uint8))


def silent():
    return warned(X)
