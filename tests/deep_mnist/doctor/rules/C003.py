"""A squared error over ten exclusive classes, and over ten numbers."""

import numpy as np

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays


def contract(activation, metric):
    return Contract(loss="mean_squared_error", output_units=10, output_tail=(activation,), metrics=(metric,))


def fires():
    return arrays(contract("softmax", "accuracy"), train_labels=np.eye(10)[np.arange(60) % 10])


def silent():
    return arrays(contract("linear", "mean_absolute_error"), train_labels=np.linspace(0, 1, 600).reshape(60, 10))
