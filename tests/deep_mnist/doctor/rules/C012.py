"""A softmax under CTC, and scores."""

from dataclasses import replace

from tests.deep_mnist.doctor.rules.L126 import CONTRACT, LABELS, ROWS
from tests.support.rule_examples import arrays


def fires():
    return arrays(replace(CONTRACT, output_tail=("softmax",)), train_images=ROWS, train_labels=LABELS + 1)


def silent():
    return arrays(CONTRACT, train_images=ROWS, train_labels=LABELS + 1)
