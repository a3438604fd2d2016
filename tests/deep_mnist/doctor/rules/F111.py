"""Labels saved as Python numbers."""

from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().labels(lambda y: y.astype(object)))


def silent():
    return judged(digits().labels(lambda y: y.astype("int64")))
