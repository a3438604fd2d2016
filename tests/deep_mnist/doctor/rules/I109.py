"""Images that use a twentieth of the range, and such that use half."""

from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().images(lambda x: 0.45 + x / 20))


def silent():
    return judged(digits().images(lambda x: 0.25 + x / 2))
