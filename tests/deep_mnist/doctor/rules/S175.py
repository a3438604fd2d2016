"""The rows' numbers beside four measurements, and a column of whole numbers of which two thirds are left out."""

import numpy as np

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(200, 4)).astype("float32")
LABELS = np.arange(200) % 3


def found(column):
    contract = Contract(input_shape=(5,), first_layer="Dense", loss="sparse_categorical_crossentropy", output_units=3)
    return arrays(contract, train_images=np.c_[column, ROWS], train_labels=LABELS)


def fires():
    return found(RANDOM.permutation(200))


def silent():
    return found(RANDOM.permutation(600)[:200])
