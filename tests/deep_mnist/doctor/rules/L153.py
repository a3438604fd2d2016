"""Images of noise alone; and digits."""

import numpy as np

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays, digits, judged


def fires():
    noise = np.random.default_rng(0).random((100, 12, 12, 1), np.float32)
    contract = Contract(input_shape=(12, 12, 1), layout="channels_last")
    return arrays(contract, train_images=noise, train_labels=np.arange(100) % 10)


def silent():
    return judged(digits())
