"""No activation with from_logits=False, and a softmax with it."""

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays


def fires():
    return arrays(Contract(loss="sparse_categorical_crossentropy", from_logits=False, output_tail=("linear",)))


def silent():
    return arrays(Contract(loss="sparse_categorical_crossentropy", from_logits=False, output_tail=("softmax",)))
