"""A SavedModel, whose signature holds no loss, and a loss that is stated."""

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays


def fires():
    return arrays(Contract(unknown=("loss: a SavedModel's signature holds none",)))


def silent():
    return arrays(Contract(loss="sparse_categorical_crossentropy"))
