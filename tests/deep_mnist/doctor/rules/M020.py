"""A Sequential model that was saved before it was built, and one that names its input."""

from tests.support.keras_models import classifier, conv, dense, layer, sequential
from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().with_net(sequential(conv(), layer("Flatten"), dense(), shape=None)))


def silent():
    return judged(digits().with_net(classifier()))
