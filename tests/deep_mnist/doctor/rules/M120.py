"""A softmax on one unit, and a sigmoid."""

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays


def fires():
    return arrays(Contract(output_units=1, output_tail=("softmax",)))


def silent():
    return arrays(Contract(output_units=1, output_tail=("sigmoid",)))
