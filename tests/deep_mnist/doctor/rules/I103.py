"""Pixels in 0..1000, and standardized ones."""

from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().images(lambda x: x * 1000))


def silent():
    return judged(digits().images(lambda x: (x - x.mean()) / x.std()))
