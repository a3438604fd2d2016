"""Yes or no asked of ten exclusive classes; of labels of which more than one holds it is meant."""

import numpy as np

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays

CONTRACT = Contract(loss="binary_crossentropy", output_units=10, output_tail=("sigmoid",))


def fires():
    return arrays(CONTRACT, train_labels=np.eye(10)[np.arange(60) % 10])


def silent():
    return arrays(CONTRACT, train_labels=np.eye(10)[np.arange(60) % 10] + np.eye(10)[np.arange(60) % 7 + 3] > 0)
