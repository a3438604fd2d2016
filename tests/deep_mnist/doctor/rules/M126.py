"""Probabilities in float16 and in float32."""

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays


def fires():
    return arrays(Contract(output_dtype="float16", output_tail=("softmax",)))


def silent():
    return arrays(Contract(output_dtype="float32", output_tail=("softmax",)))
