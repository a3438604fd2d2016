"""A model that ends in argmax, and one that ends in the softmax."""

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays


def fires():
    return arrays(Contract(output_tail=("softmax", "argmax")))


def silent():
    return arrays(Contract(output_tail=("softmax",)))
