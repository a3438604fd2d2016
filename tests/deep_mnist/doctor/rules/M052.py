"""The last layer is frozen, and the first instead, as in fine-tuning."""

from tests.support.keras_models import conv, dense, layer, sequential
from tests.support.rule_examples import digits, judged


def fires():
    frozen_scores = layer("Dense", "scores", units=10, activation="softmax", trainable=False)
    return judged(digits().with_net(sequential(conv(), layer("Flatten"), frozen_scores)))


def silent():
    return judged(digits().with_net(sequential(conv(trainable=False), layer("Flatten"), dense())))
