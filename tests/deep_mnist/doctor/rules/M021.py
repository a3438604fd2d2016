"""A layer of a class of one's own before the first weights, and behind them."""

from tests.support.keras_models import classifier, conv, dense, layer, sequential
from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().with_net(classifier(layer("TheirOwn"))))


def silent():
    return judged(digits().with_net(sequential(conv(), layer("TheirOwn"), layer("Flatten"), dense())))
