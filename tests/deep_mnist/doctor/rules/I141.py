"""Texts padded with -1, and with 0."""

import numpy as np

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays

TOKENS = np.arange(600).reshape(30, 20) % 100


def found(tokens):
    contract = Contract(input_shape=(20,), first_layer="Embedding", vocabulary=100)
    return arrays(contract, train_images=tokens, train_labels=np.arange(30) % 2)


def fires():
    return found(np.where(np.arange(20) < 15, TOKENS, -1))


def silent():
    return found(np.where(np.arange(20) < 15, TOKENS, 0))
