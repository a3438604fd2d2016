"""A validation_split beyond 1, and one of a tenth."""

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays


def fires():
    return arrays(Contract(), fit={"validation_split": 1.5})


def silent():
    return arrays(Contract(), fit={"validation_split": 0.1})
