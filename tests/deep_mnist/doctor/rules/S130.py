"""The classes of the test split numbered from 3 on; and those of both splits."""

from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().change(lambda labels: (labels + 3) % 10, "test_labels"))


def silent():
    return judged(digits().labels(lambda labels: (labels + 3) % 10))
