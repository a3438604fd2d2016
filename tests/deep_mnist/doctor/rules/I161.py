"""Sequences of words that a tokenizer knows none of, and a few that it knows."""

import numpy as np

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays


def found(known):
    tokens = np.zeros((60, 8), int)
    tokens[:known, 0] = 3
    contract = Contract(input_shape=(8,), first_layer="Embedding", vocabulary=20, output_units=1, num_classes=2)
    return arrays(contract, train_images=tokens, train_labels=np.arange(60) % 2)


def fires():
    return found(0)


def silent():
    return found(2)
