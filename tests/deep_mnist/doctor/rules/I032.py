"""Images and labels gathered in batches of 40 before fit does."""

from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().images(lambda x: x.reshape(-1, 40, 28, 28, 1)).labels(lambda y: y.reshape(-1, 40)))


def silent():
    return judged(digits())
