"""An autoencoder's images flattened as its targets; and as they are."""

import numpy as np

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays

CONTRACT = Contract(loss="mean_squared_error", output_units=1, output_rank=4, output_shape=(8, 8, 1))
IMAGES = np.random.default_rng(0).random((50, 8, 8, 1), "float32")


def fires():
    return arrays(CONTRACT, train_images=IMAGES, train_labels=IMAGES.reshape(50, 64))


def silent():
    return arrays(CONTRACT, train_images=IMAGES, train_labels=IMAGES)
