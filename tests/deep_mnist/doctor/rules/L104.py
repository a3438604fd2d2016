"""Class numbers off by a half; and whole ones."""

from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().labels(lambda labels: labels + 0.5))


def silent():
    return judged(digits().labels(lambda labels: labels + 0.0))
