"""An IDX file read from byte 0 on, and from byte 16 on."""

import numpy as np

from deep_mnist.contract.contract import Contract
from tests.support.digits import draw_digits, idx_bytes
from tests.support.rule_examples import arrays

IMAGES, LABELS = draw_digits(100)


def read(offset):
    images = np.frombuffer(idx_bytes(IMAGES), np.uint8, offset=offset)[: IMAGES.size].reshape(IMAGES.shape)
    contract = Contract(input_shape=(28, 28), input_range=(0, 255), scales_inside=True)
    return arrays(contract, train_images=images, train_labels=LABELS)


def fires():
    return read(offset=0)


def silent():
    return read(offset=16)
