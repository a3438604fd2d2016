"""Labels that integer division made all 0; and labels of two classes."""

from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().labels(lambda labels: labels // 255))


def silent():
    return judged(digits().labels(lambda labels: labels // 5))
