"""A loss for classes over one unit, and the one for yes or no."""

from deep_mnist.contract.contract import Contract
from tests.support.rule_examples import arrays


def fires():
    return arrays(Contract(loss="categorical_crossentropy", output_units=1, num_classes=2, output_tail=("sigmoid",)))


def silent():
    return arrays(Contract(loss="binary_crossentropy", output_units=1, num_classes=2, output_tail=("sigmoid",)))
