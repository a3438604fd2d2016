"""Ten classes from 0 on under CTC, and from 1 on with zeros behind them."""

import numpy as np

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays

RANDOM = np.random.default_rng(0)
ROWS, LABELS = RANDOM.normal(size=(200, 40, 8)).astype("float32"), RANDOM.integers(0, 10, (200, 6))
CONTRACT = Contract(loss="ctc", output_units=11, output_rank=3, output_shape=(40, 11), output_tail=("linear",))


def fires():
    return arrays(CONTRACT, train_images=ROWS, train_labels=LABELS)


def silent():
    padded = np.where(np.arange(6) < RANDOM.integers(2, 7, (200, 1)), LABELS + 1, 0)
    return arrays(CONTRACT, train_images=ROWS, train_labels=padded)
