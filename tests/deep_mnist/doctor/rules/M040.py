"""Two dense layers with nothing between them, and with a relu."""

from tests.support.keras_models import dense, layer, sequential
from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().with_net(sequential(layer("Flatten"), dense(30, "linear"), dense(name="scores"))))


def silent():
    return judged(digits().with_net(sequential(layer("Flatten"), dense(30, "relu"), dense(name="scores"))))
