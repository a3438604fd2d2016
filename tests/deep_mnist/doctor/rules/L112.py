"""Amounts under binary cross-entropy; and labels of yes or no."""

import numpy as np

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays

CONTRACT = Contract(loss="binary_crossentropy", output_units=1, output_tail=("sigmoid",))
AMOUNTS = np.random.default_rng(0).normal(50, 20, 200)
ROWS = np.random.default_rng(1).normal(size=(200, 5)).astype("float32")


def fires():
    return arrays(CONTRACT, train_images=ROWS, train_labels=AMOUNTS)


def silent():
    return arrays(CONTRACT, train_images=ROWS, train_labels=AMOUNTS > 50)
