"""Labels of shape (n, 1, 1); and (n,)."""

from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().labels(lambda labels: labels[:, None, None]))


def silent():
    return judged(digits())
