"""Four numbers for an output of three units; and three."""

import numpy as np

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays

CONTRACT = Contract(loss="mean_squared_error", output_units=3, output_rank=2, output_shape=(3,))
ROWS = np.random.default_rng(0).normal(size=(50, 5)).astype("float32")


def fires():
    return arrays(CONTRACT, train_images=ROWS, train_labels=ROWS[:, :4])


def silent():
    return arrays(CONTRACT, train_images=ROWS, train_labels=ROWS[:, :3])
