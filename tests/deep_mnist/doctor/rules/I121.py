"""Eighty bytes overwritten; salt and pepper on a fifth of the images is the set's own."""

import numpy as np

from tests.support.keras_models import classifier, layer
from tests.support.rule_examples import digits, judged

RESCALING = layer("Rescaling", scale=1 / 255, offset=0.0)
RANDOM = np.random.default_rng(0)


def raw(alter):
    case = digits().images(lambda x: np.rint(x * 255).astype(np.uint8)).with_net(classifier(RESCALING))
    return judged(case.change(alter, "train_images"))


def overwritten(images):
    wrong = images.copy()
    wrong.reshape(-1)[RANDOM.choice(wrong.size, 80, replace=False)] = RANDOM.integers(0, 256, 80)
    return wrong


def salted(images):
    noisy = images.copy()
    for image in noisy[::5]:
        image.reshape(-1)[RANDOM.choice(image.size, 15, replace=False)] = RANDOM.choice([0, 255], 15)
    return noisy


def fires():
    return raw(overwritten)


def silent():
    return raw(salted)
