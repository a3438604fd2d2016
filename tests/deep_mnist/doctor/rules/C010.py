"""A softmax with from_logits=True, and no activation with it."""

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays


def fires():
    return arrays(Contract(loss="sparse_categorical_crossentropy", from_logits=True, output_tail=("softmax",)))


def silent():
    return arrays(Contract(loss="sparse_categorical_crossentropy", from_logits=True, output_tail=("linear",)))
