"""Hidden weights that all start at 0; an output layer may start so."""

from tests.support.keras_models import dense, layer, sequential
from tests.support.rule_examples import digits, judged

ZEROS = {"class_name": "Zeros", "config": {}}


def fires():
    hidden = layer("Dense", "hidden", units=30, activation="relu", kernel_initializer=ZEROS)
    return judged(digits().with_net(sequential(layer("Flatten"), hidden, dense())))


def silent():
    scores = layer("Dense", "scores", units=10, activation="softmax", kernel_initializer=ZEROS)
    return judged(digits().with_net(sequential(layer("Flatten"), dense(30, "relu"), scores)))
