"""Pixels compared with a threshold, before and after a cast."""

from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().images(lambda x: x > 0.5))


def silent():
    return judged(digits().images(lambda x: (x > 0.5).astype("float32")))
