"""One epoch of thirteen batches, and five."""

import numpy as np

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays

IMAGES = np.random.default_rng(0).random((400, 28, 28, 1), np.float32)


def fires():
    return arrays(Contract(), train_images=IMAGES, fit={"epochs": 1, "batch_size": 32})


def silent():
    return arrays(Contract(), train_images=IMAGES, fit={"epochs": 5, "batch_size": 32})
