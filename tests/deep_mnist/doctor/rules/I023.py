"""Raw bytes read as int8, and as uint8, for a network that rescales."""

import numpy as np

from tests.support.keras_models import classifier, layer
from tests.support.rule_examples import digits, judged

RESCALING = layer("Rescaling", scale=1 / 255, offset=0.0)


def raw():
    return digits().images(lambda x: np.rint(x * 255).astype(np.uint8))


def fires():
    return judged(raw().images(lambda x: x.view(np.int8)).with_net(classifier(RESCALING)))


def silent():
    return judged(raw().with_net(classifier(RESCALING)))
