"""A column that is 1 in every row, and one that is 0 or 1."""

import numpy as np

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays

ROWS = np.random.default_rng(0).normal(size=(200, 5)).astype("float32")
LABELS = np.arange(200) % 3


def found(rows):
    contract = Contract(input_shape=(6,), first_layer="Dense")
    return arrays(contract, train_images=rows, train_labels=LABELS)


def fires():
    return found(np.c_[ROWS, np.ones(200)])


def silent():
    return found(np.c_[ROWS, np.arange(200) % 2])
