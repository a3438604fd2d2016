"""One unit fitted to class numbers by mean_squared_error, with the metric accuracy; and with one for amounts."""

import numpy as np

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays

ROWS = np.random.default_rng(1).normal(size=(200, 5)).astype("float32")


def fires():
    contract = Contract(loss="mean_squared_error", output_units=1, output_tail=("linear",), metrics=("accuracy",))
    return arrays(contract, train_images=ROWS, train_labels=np.arange(200) % 10)


def silent():
    contract = Contract(loss="mean_squared_error", output_units=1, output_tail=("linear",), metrics=("mae",))
    return arrays(contract, train_images=ROWS, train_labels=np.arange(200) % 10)
