"""Ten classes of labels for five units; a single stray label is rather a wrong label."""

import numpy as np

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays

CONTRACT = Contract(loss="sparse_categorical_crossentropy", output_units=5, num_classes=5, output_tail=("softmax",))


def fires():
    return arrays(CONTRACT, train_labels=np.arange(100) % 10)


def silent():
    labels = np.arange(100) % 5
    labels[7] = 9
    return arrays(CONTRACT, train_labels=labels)
