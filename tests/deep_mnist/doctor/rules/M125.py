"""A relu under a cross-entropy; numbers that are never negative may have one."""

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays


def fires():
    return arrays(Contract(loss="categorical_crossentropy", output_units=10, output_tail=("relu",)))


def silent():
    return arrays(Contract(loss="mean_squared_error", output_units=1, output_tail=("relu",)))
