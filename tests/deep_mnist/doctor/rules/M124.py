"""Sigmoids under a loss for one of ten classes, and under one for ten questions."""

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays


def fires():
    return arrays(Contract(loss="categorical_crossentropy", output_units=10, output_tail=("sigmoid",)))


def silent():
    return arrays(Contract(loss="binary_crossentropy", output_units=10, output_tail=("sigmoid",)))
