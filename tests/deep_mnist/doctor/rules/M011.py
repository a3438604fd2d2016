"""A Lambda layer that divides by 255, and the layer of Keras that does the same."""

from tests.support.keras_models import classifier, layer
from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().with_net(classifier(layer("Lambda"))))


def silent():
    return judged(digits().with_net(classifier(layer("Rescaling", scale=1 / 255))))
