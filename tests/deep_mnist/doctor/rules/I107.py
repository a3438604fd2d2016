"""The mean and deviation of 0..255 taken from pixels of 0..1, and those of 0..1."""

from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().images(lambda x: (x - 255 * x.mean()) / (255 * x.std())))


def silent():
    return judged(digits().images(lambda x: (x - x.mean()) / x.std()))
