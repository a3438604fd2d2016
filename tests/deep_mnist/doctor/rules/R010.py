"""A checkpoint with one weight that is NaN."""

import numpy as np
from keras import layers

from tests.support.example_networks import blobs, network, rehearsed


def with_first_weight(value):
    model = network(layers.Dense(16, activation="relu"))
    kernel, *others = model.get_weights()
    kernel[0, 0] = value
    model.set_weights([kernel, *others])
    return model


def fires():
    return rehearsed(with_first_weight(np.nan), *blobs())


def silent():
    return rehearsed(with_first_weight(0.0), *blobs())
