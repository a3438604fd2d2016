"""The record speaks of pixels in 0..1, and of those in 0..255 that there are."""

from dataclasses import replace

from deep_mnist.contract.contract import Contract
from deep_mnist.data.dataset import Preprocessing
from tests.support.digits import draw_digits
from tests.support.rule_examples import arrays

RECORD = Preprocessing("mnist", "rows_columns", (28, 28), "uint8", 1.0, 0.0, "sparse", 10)


def found(**changed):
    images, labels = draw_digits(100)
    contract = Contract(input_shape=(28, 28), input_range=(0, 255), scales_inside=True, num_classes=10)
    return arrays(contract, record=replace(RECORD, **changed), train_images=images, train_labels=labels)


def fires():
    return found(scale=1 / 255)


def silent():
    return found()
