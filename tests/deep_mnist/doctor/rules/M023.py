"""An output layer of a class of one's own, and a Dense one."""

from tests.support.keras_models import conv, dense, layer, sequential
from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().with_net(sequential(conv(), layer("Flatten"), layer("TheirOwn"))))


def silent():
    return judged(digits().with_net(sequential(conv(), layer("Flatten"), dense())))
