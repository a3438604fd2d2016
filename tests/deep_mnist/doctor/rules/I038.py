"""Three channels for a network that takes one, and for one that takes three."""

from tests.support.keras_models import classifier
from tests.support.rule_examples import digits, judged


def in_colour(images):
    return images.repeat(3, axis=-1)


def fires():
    return judged(digits().images(in_colour))


def silent():
    return judged(digits().images(in_colour).with_net(classifier(shape=(28, 28, 3))))
