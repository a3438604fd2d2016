"""Digits of -1..1 as bytes, and as they are."""

import numpy as np

from deep_mnist.contract.contract import Contract
from tests.support.doctor_cases import digits
from tests.support.rule_examples import arrays


def _set(dtype):
    given = digits(train=400).arrays
    images = given["train_images"].astype("float32") / given["train_images"].max() * 2 - 1
    contract = Contract(input_shape=(28, 28, 1))
    return arrays(contract, train_images=images.astype("int16").astype(dtype), train_labels=given["train_labels"])


def fires():
    return _set(np.uint8)


def silent():
    return _set(np.float32)
