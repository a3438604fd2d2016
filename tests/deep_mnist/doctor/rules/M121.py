"""Two softmaxes, and one."""

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays


def fires():
    return arrays(Contract(output_units=10, output_tail=("softmax", "softmax")))


def silent():
    return arrays(Contract(output_units=10, output_tail=("softmax",)))
