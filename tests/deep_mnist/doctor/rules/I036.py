"""Steps of one number, for a network that takes eight numbers a step."""

import numpy as np

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays


def found(inputs):
    contract = Contract(input_shape=(50, 8), first_layer="LSTM")
    return arrays(contract, train_images=inputs, train_labels=np.arange(30) % 2)


def fires():
    return found(np.zeros((30, 50), np.float32))


def silent():
    return found(np.zeros((30, 50, 8), np.float32))
