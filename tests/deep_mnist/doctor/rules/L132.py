"""Class numbers stored as floats; and as integers."""

from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().labels(lambda labels: labels.astype("float32")))


def silent():
    return judged(digits().labels(lambda labels: labels.astype("int64")))
