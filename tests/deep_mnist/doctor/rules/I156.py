"""Tokens 0 to 99 divided by 100, for Embedding(100, …); and as they were, in floats."""

import numpy as np

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays

TOKENS = np.arange(600, dtype="float32").reshape(30, 20) % 100


def found(tokens):
    contract = Contract(input_shape=(20,), first_layer="Embedding", vocabulary=100)
    return arrays(contract, train_images=tokens, train_labels=np.arange(30) % 2)


def fires():
    return found(TOKENS / 100)


def silent():
    return found(TOKENS)
