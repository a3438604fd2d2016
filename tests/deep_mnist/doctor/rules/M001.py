"""A channels_first convolution meets an input with the channels last; it is fine where they come first."""

from tests.support.keras_models import conv, dense, layer, sequential
from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().with_net(sequential(conv(form="channels_first"), layer("Flatten"), dense())))


def silent():
    network = sequential(conv(form="channels_first"), layer("Flatten"), dense(), shape=(1, 28, 28))
    return judged(digits().images(lambda images: images.transpose(0, 3, 1, 2)).with_net(network))
