"""Maps for two kinds of places, of which one never comes, and of which both do."""

import numpy as np

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays

CONTRACT = Contract(
    loss="mean_squared_error", output_units=2, output_rank=4, output_shape=(8, 8, 2), output_tail=("linear",)
)
IMAGES = np.random.default_rng(0).random((40, 16, 16, 1), "float32")


def maps(kinds):
    drawn = np.zeros((40, 8, 8, 2), "float32")
    for place, (image, kind) in enumerate(zip(drawn, kinds, strict=True)):
        if place < 8:
            image[place, place, kind] = 1
    return arrays(CONTRACT, train_images=IMAGES, train_labels=drawn)


def fires():
    return maps(np.zeros(40, int))


def silent():
    return maps(np.arange(40) % 2)
