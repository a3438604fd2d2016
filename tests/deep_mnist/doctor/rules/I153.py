"""A column that is 1 in every row beside numbers, and one of a mask of what is there of lists that are never empty."""

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
    return found((np.arange(6) <= np.arange(200)[:, None] % 4).astype("float32"))
