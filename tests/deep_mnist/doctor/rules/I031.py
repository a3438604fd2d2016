"""Channels first, for a network that takes them last, and for one that takes them first."""

from tests.support.keras_models import conv, dense, layer, sequential
from tests.support.rule_examples import digits, judged

NET = sequential(conv(form="channels_first"), layer("Flatten"), dense(), shape=(1, 28, 28))


def channels_first(images):
    return images.transpose(0, 3, 1, 2)


def fires():
    return judged(digits().images(channels_first))


def silent():
    return judged(digits().images(channels_first).with_net(NET))
