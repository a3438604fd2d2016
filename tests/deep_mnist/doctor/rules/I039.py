"""Images of 14 x 14, for a network that takes 28 x 28, and for one that takes any size."""

from tests.support.keras_models import conv, dense, layer, sequential
from tests.support.rule_examples import digits, judged

ANY_SIZE = sequential(conv(), layer("GlobalMaxPooling2D"), dense(), shape=(None, None, 1))


def halved(images):
    return images[:, ::2, ::2]


def fires():
    return judged(digits().images(halved))


def silent():
    return judged(digits().images(halved).with_net(ANY_SIZE))
