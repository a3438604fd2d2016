"""Masks of the classes 0 to 3 for an output of three units at every position; and of the classes 0 to 2."""

import numpy as np

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays

CONTRACT = Contract(
    loss="sparse_categorical_crossentropy", output_units=3, output_rank=4, output_shape=(8, 8, 3), num_classes=3
)
IMAGES = np.random.default_rng(0).random((40, 8, 8, 1), "float32")


def fires():
    masks = np.arange(40 * 64).reshape(40, 8, 8) % 4
    return arrays(CONTRACT, train_images=IMAGES, train_labels=masks)


def silent():
    masks = np.arange(40 * 64).reshape(40, 8, 8) % 3
    return arrays(CONTRACT, train_images=IMAGES, train_labels=masks)
