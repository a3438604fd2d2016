"""Digits of which seven in ten bytes are random, and digits as they are."""

import numpy as np

from deep_mnist.contract.contract import Contract
from tests.support.doctor_cases import digits
from tests.support.rule_examples import arrays


def _set(share):
    given, draw = digits(train=400).arrays, np.random.default_rng(0)
    scale = 255 if given["train_images"].max() <= 1 else 1
    images = np.clip(np.rint(given["train_images"] * scale), 0, 255).astype("uint8")
    spoiled = draw.random(images.shape) < share
    images[spoiled] = draw.integers(0, 256, int(spoiled.sum()))
    return arrays(Contract(input_shape=(28, 28, 1)), train_images=images, train_labels=given["train_labels"])


def fires():
    return _set(0.7)


def silent():
    return _set(0.0)
