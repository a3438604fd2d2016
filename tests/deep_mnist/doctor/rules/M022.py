"""A Normalization layer whose weights are not in the file, and one that states them in its configuration."""

from tests.support.keras_models import classifier, layer
from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().with_net(classifier(layer("Normalization", axis=-1))))


def silent():
    return judged(digits().with_net(classifier(layer("Normalization", axis=-1, mean=0.1, variance=0.09))))
