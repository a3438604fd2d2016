"""Train's bytes after adding 150 in uint8, and digits as they are."""

import numpy as np

from deep_mnist.contract.contract import Contract
from tests.support.doctor_cases import digits
from tests.support.rule_examples import arrays


def _sets(add):
    given = digits(train=400, test=200).arrays
    train = np.clip(np.rint(given["train_images"] * (255 if given["train_images"].max() <= 1 else 1)), 0, 255)
    test = np.clip(np.rint(given["test_images"] * (255 if given["test_images"].max() <= 1 else 1)), 0, 255)
    train = train.astype("uint8") + np.uint8(add)
    return arrays(
        Contract(input_shape=(28, 28, 1)), train_images=train, train_labels=given["train_labels"],
        test_images=test.astype("uint8"), test_labels=given["test_labels"],
    )  # fmt: skip


def fires():
    return _sets(150)


def silent():
    return _sets(0)
