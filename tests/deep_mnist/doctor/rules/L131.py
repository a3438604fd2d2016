"""Labels of ten classes cast to booleans; and booleans for a network of two classes."""

from tests.support.keras_models import classifier
from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().labels(lambda labels: labels.astype(bool)))


def silent():
    case = digits().labels(lambda labels: labels > 4)
    return judged(case.with_net(classifier(units=2)).with_settings(num_classes=2))
