"""Columns that deviate by a ten thousandth for ten epochs, and for ten thousand, in which weights get to them."""

import numpy as np

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays

ROWS = 1e-4 * np.random.default_rng(0).normal(size=(200, 5)).astype("float32")


def found(epochs):
    optimizer = {"name": "adam", "learning_rate": 0.001}
    contract = Contract(input_shape=(5,), first_layer="Dense", optimizer=optimizer)
    return arrays(contract, train_images=ROWS, train_labels=np.arange(200) % 3, fit={"epochs": epochs})


def fires():
    return found(10)


def silent():
    return found(10_000)
