"""Binary cross-entropy against bytes 0..255 of an image to be reconstructed; and against the same scaled to 0..1."""

import numpy as np

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays

CONTRACT = Contract(
    loss="binary_crossentropy", output_units=64, output_rank=2, output_shape=(64,), output_tail=("sigmoid",)
)
BYTES = np.random.default_rng(0).integers(0, 256, (50, 64), np.uint8)
SCALED = (BYTES / 255).astype("float32")


def fires():
    return arrays(CONTRACT, train_images=SCALED, train_labels=BYTES)


def silent():
    return arrays(CONTRACT, train_images=SCALED, train_labels=SCALED)
