"""A column that a join has left twice, and one that only follows another closely."""

import numpy as np

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays

ROWS = np.random.default_rng(0).normal(size=(200, 5)).astype("float32")
LABELS = np.arange(200) % 3


def found(rows):
    contract = Contract(input_shape=(6,), first_layer="Dense")
    return arrays(contract, train_images=rows, train_labels=LABELS)


def fires():
    return found(np.c_[ROWS, ROWS[:, 2]])


def silent():
    return found(np.c_[ROWS, ROWS[:, 2] + np.float32(0.01) * ROWS[:, 3]])
