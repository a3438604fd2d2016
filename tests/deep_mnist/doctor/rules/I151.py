"""Columns of about 100 under plain gradient descent, and under Adam."""

import numpy as np

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays


def found(optimizer):
    rows = np.random.default_rng(0).normal(100, 20, size=(200, 5)).astype("float32")
    contract = Contract(
        input_shape=(5,), first_layer="Dense", output_units=1, loss="mean_squared_error",
        optimizer={"name": optimizer, "learning_rate": 0.01},
    )  # fmt: skip
    return arrays(contract, train_images=rows, train_labels=rows.mean(axis=1))


def fires():
    return found("sgd")


def silent():
    return found("adam")
