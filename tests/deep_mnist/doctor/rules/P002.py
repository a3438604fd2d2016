"""Batches of one example under BatchNormalization, and of 32."""

from deep_mnist.contract.contract import Contract
from deep_mnist.contract.layers import Architecture
from tests.support.rule_examples import arrays

CONTRACT = Contract(architecture=Architecture(dense_norms=("batch_normalization",)))


def fires():
    return arrays(CONTRACT, fit={"batch_size": 1})


def silent():
    return arrays(CONTRACT, fit={"batch_size": 32})
