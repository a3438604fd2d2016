"""Labels that belong to other examples."""

import keras
import numpy as np

from tests.support.example_networks import blobs, network, watched


def fires():
    x, y = blobs(512)
    model = network(optimizer=keras.optimizers.SGD(0.1))
    return watched(model, x, np.random.default_rng(1).permutation(y), epochs=20)


def silent():
    x, y = blobs(512)
    return watched(network(optimizer=keras.optimizers.SGD(0.1)), x, y, epochs=20)
