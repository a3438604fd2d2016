"""Weights of 0, and of 0 for some."""

import numpy as np

from tests.support.live_examples import fitted


def fires():
    return fitted(sample_weight=np.zeros(320))


def silent():
    return fitted(sample_weight=(np.arange(320) % 2).astype(float))
