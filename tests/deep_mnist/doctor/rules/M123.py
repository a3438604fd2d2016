"""Dropout behind the softmax; BatchNormalization of scores that are no probabilities yet is fine."""

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays


def fires():
    return arrays(Contract(output_units=10, output_tail=("softmax", "dropout")))


def silent():
    return arrays(Contract(output_units=10, output_tail=("linear", "batch_normalization")))
