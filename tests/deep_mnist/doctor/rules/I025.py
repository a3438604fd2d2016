"""Pixels in double and in single precision."""

from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().images(lambda x: x.astype("float64")))


def silent():
    return judged(digits())
