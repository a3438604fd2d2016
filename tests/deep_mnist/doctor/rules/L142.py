"""Class numbers of shape (n, 1); and answers in a column as the one output unit that they are compared with."""

from tests.support.loops import healthy
from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().labels(lambda labels: labels[:, None]))


def silent():
    return healthy("answers_in_a_column")
