"""Columns from 1 to 10,000 in size, and standardized ones."""

import numpy as np

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays

ROWS = np.random.default_rng(0).normal(size=(200, 5)).astype("float32")
LABELS = np.arange(200) % 3


def found(rows):
    contract = Contract(input_shape=(5,), first_layer="Dense")
    return arrays(contract, train_images=rows, train_labels=LABELS)


def fires():
    return found(ROWS * [1, 10, 100, 1000, 10_000])


def silent():
    return found(ROWS)
