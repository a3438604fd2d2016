"""One row, with and without an axis of examples."""

import numpy as np

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays

ROW = np.arange(4, dtype=np.float32)


def found(inputs):
    return arrays(Contract(input_shape=(4,), first_layer="Dense"), train_images=inputs, train_labels=np.zeros(1))


def fires():
    return found(ROW)


def silent():
    return found(ROW[np.newaxis])
