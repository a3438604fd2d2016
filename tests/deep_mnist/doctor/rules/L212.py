"""Maps of places that lie outside of them all, and maps of places of which some do."""

import numpy as np

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays

CONTRACT = Contract(
    loss="mean_squared_error", output_units=2, output_rank=4, output_shape=(8, 8, 2), output_tail=("linear",)
)
IMAGES = np.random.default_rng(0).random((40, 16, 16, 1), "float32")


def maps(places):
    drawn = np.zeros((40, 8, 8, 2), "float32")
    for image, place in zip(drawn, places, strict=True):
        if place < 8:
            image[place, place] = 1
    return arrays(CONTRACT, train_images=IMAGES, train_labels=drawn)


def fires():
    return maps(np.arange(40) % 8 + 8)


def silent():
    return maps(np.arange(40) % 16)
