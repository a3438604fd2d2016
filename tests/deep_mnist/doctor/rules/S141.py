"""No 9 among the test images; and none in either split, for a network without that class."""

from tests.support.keras_models import classifier
from tests.support.rule_examples import digits, judged


def without_nines(case, split):
    """Return the case without the class 9 in a split."""
    kept = case.arrays[f"{split}_labels"] != 9
    return case.change(lambda array: array[kept], f"{split}_images", f"{split}_labels")


def fires():
    return judged(without_nines(digits(), "test"))


def silent():
    case = without_nines(without_nines(digits(), "train"), "test")
    return judged(case.with_net(classifier(units=9)).with_settings(num_classes=9))
