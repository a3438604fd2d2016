"""Weights for a part of the examples, and for each of them, some of which validation_split takes."""

import numpy as np

from tests.support.live_examples import fitted


def fires():
    return fitted(sample_weight=np.ones(300))


def silent():
    return fitted(sample_weight=np.ones(320), validation_split=0.2)
