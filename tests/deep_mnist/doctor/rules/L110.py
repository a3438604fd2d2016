"""Amounts under a loss for classes; and under one for amounts."""

import numpy as np

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays

AMOUNTS = np.random.default_rng(0).normal(50, 20, 200)
ROWS = np.random.default_rng(1).normal(size=(200, 5)).astype("float32")


def fires():
    contract = Contract(loss="sparse_categorical_crossentropy", output_units=10, output_tail=("softmax",))
    return arrays(contract, train_images=ROWS, train_labels=AMOUNTS)


def silent():
    contract = Contract(loss="mean_squared_error", output_units=1, output_tail=("linear",))
    return arrays(contract, train_images=ROWS, train_labels=AMOUNTS)
