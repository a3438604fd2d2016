"""Pixels of 0..255, for a network without, and with, a Rescaling layer."""

import numpy as np

from tests.support.keras_models import classifier, layer
from tests.support.rule_examples import digits, judged

RESCALING = layer("Rescaling", scale=1 / 255, offset=0.0)


def raw():
    return digits().images(lambda x: np.rint(x * 255).astype("float32"))


def fires():
    return judged(raw())


def silent():
    return judged(raw().with_net(classifier(RESCALING)))
