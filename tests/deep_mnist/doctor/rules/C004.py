"""A loss of one's own, and one of Keras's."""

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays


def fires():
    return arrays(Contract(loss="my_loss"))


def silent():
    return arrays(Contract(loss="huber"))
