"""Labels 1 to 10 for a network of 10 classes; and counted from 0."""

from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().labels(lambda labels: labels + 1))


def silent():
    return judged(digits())
