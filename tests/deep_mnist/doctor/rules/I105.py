"""Pixels divided by 255 twice, and dark images."""

from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().images(lambda x: x / 255))


def silent():
    return judged(digits().images(lambda x: x / 4))
