"""Years, two of three columns far from 0; degrees in Kelvin, 30 deviations from 0, and one such column of three."""

import numpy as np

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays

RANDOM = np.random.default_rng(0)
YEARS = RANDOM.integers(1990, 2020, (200, 2))
LABELS = YEARS[:, 0] % 3


def found(rows):
    contract = Contract(input_shape=(rows.shape[1],), first_layer="Dense")
    return arrays(contract, train_images=rows.astype("float32"), train_labels=LABELS)


def fires():
    return found(np.column_stack([YEARS, RANDOM.normal(size=200) * 100]))


def silent():
    return found(np.column_stack([YEARS[:, :1], RANDOM.normal(288, 9.5, (200, 1)), RANDOM.normal(size=(200, 1)) * 100]))
