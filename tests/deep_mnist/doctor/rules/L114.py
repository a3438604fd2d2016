"""Prices to be predicted by a sigmoid; and by a unit without an activation."""

import numpy as np

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays

AMOUNTS = np.random.default_rng(0).normal(50, 20, 200)
ROWS = np.random.default_rng(1).normal(size=(200, 5)).astype("float32")


def fires():
    contract = Contract(loss="mean_squared_error", output_units=1, output_tail=("sigmoid",))
    return arrays(contract, train_images=ROWS, train_labels=AMOUNTS)


def silent():
    contract = Contract(loss="mean_squared_error", output_units=1, output_tail=("linear",))
    return arrays(contract, train_images=ROWS, train_labels=AMOUNTS)
