"""Adam at 1e-8, and at a rate for fine-tuning."""

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays


def fires():
    return arrays(Contract(optimizer={"name": "adam", "learning_rate": 1e-8}))


def silent():
    return arrays(Contract(optimizer={"name": "adam", "learning_rate": 1e-5}))
