"""Flat rows of pixels, for a network that takes images, and for one that takes rows."""

from tests.support.keras_models import dense, sequential
from tests.support.rule_examples import digits, judged


def flat(images):
    return images.reshape(len(images), 784)


def fires():
    return judged(digits().images(flat))


def silent():
    return judged(digits().images(flat).with_net(sequential(dense(), shape=(784,))))
