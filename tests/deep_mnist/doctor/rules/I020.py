"""Numbers read as text."""

from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().images(lambda x: x.astype("S8")))


def silent():
    return judged(digits().images(lambda x: x.astype("S8").astype("float32")))
