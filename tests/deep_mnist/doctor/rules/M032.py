"""Adadelta at Keras's default rate, and at its authors'."""

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays


def fires():
    return arrays(Contract(optimizer={"name": "adadelta", "learning_rate": 0.001}))


def silent():
    return arrays(Contract(optimizer={"name": "adadelta", "learning_rate": 1.0}))
