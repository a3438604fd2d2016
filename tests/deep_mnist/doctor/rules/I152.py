"""Only train was standardized, and both splits were."""

import numpy as np

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays

RAW = np.random.default_rng(0).normal(50, 5, size=(260, 5)).astype("float32")
MEAN, DEVIATION = RAW[:200].mean(axis=0), RAW[:200].std(axis=0)


def found(test):
    train, labels = (RAW[:200] - MEAN) / DEVIATION, np.arange(260) % 3
    contract = Contract(input_shape=(5,), first_layer="Dense")
    return arrays(contract, train_images=train, train_labels=labels[:200], test_images=test, test_labels=labels[200:])


def fires():
    return found(RAW[200:])


def silent():
    return found((RAW[200:] - MEAN) / DEVIATION)
