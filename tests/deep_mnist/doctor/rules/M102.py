"""Ten scores at every position for one label per image; for a label at every position they are meant."""

import numpy as np

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays

CONTRACT = Contract(loss="sparse_categorical_crossentropy", output_rank=4, output_units=10)


def fires():
    return arrays(CONTRACT, train_labels=np.arange(60) % 10)


def silent():
    return arrays(CONTRACT, train_labels=np.arange(60 * 16).reshape(60, 4, 4) % 10)
