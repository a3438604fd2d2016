"""BatchNormalization over the rows of an image, and over its channels."""

from tests.support.keras_models import conv, dense, layer, sequential
from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().with_net(sequential(conv(), layer("BatchNormalization", axis=1), layer("Flatten"), dense())))


def silent():
    return judged(digits().with_net(sequential(conv(), layer("BatchNormalization", axis=3), layer("Flatten"), dense())))
