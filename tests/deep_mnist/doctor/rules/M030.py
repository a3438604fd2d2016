"""Adam at 0.1 for images; for the two columns of XOR and sixteen units it is usual."""

import numpy as np

from deep_mnist.contract.contract import Contract
from deep_mnist.contract.layers import Architecture
from tests.support.rule_examples import arrays


def fires():
    return arrays(Contract(optimizer={"name": "adam", "learning_rate": 0.1}, architecture=Architecture(2, fan_in=784)))


def silent():
    xor = np.tile(np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32), (20, 1))
    contract = Contract(optimizer={"name": "adam", "learning_rate": 0.1}, architecture=Architecture(2, fan_in=16))
    return arrays(contract, train_images=xor)
