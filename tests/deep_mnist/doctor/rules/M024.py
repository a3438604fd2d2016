"""An output layer of a class of one's own, and one behind which an activation stands."""

from tests.support.keras_models import conv, dense, layer, sequential
from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().with_net(sequential(conv(), layer("Flatten"), layer("TheirOwn"))))


def silent():
    return judged(digits().with_net(sequential(conv(), layer("TheirOwn"), layer("Flatten"), dense())))
