"""Class numbers under mean_squared_error over ten units; and under a loss for class numbers."""

from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().with_settings(loss="mean_squared_error"))


def silent():
    return judged(digits())
