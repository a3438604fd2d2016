"""Nine units for ten classes, and ten."""

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays


def fires():
    return arrays(Contract(output_units=9, num_classes=10))


def silent():
    return arrays(Contract(output_units=10, num_classes=10))
