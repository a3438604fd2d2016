"""Pixels as true and false, and as numbers."""

from tests.support.digits import draw_digits
from tests.support.request_examples import sent

X = draw_digits(4, seed=9)[0]


def fires():
    return sent((X > 7).tolist())


def silent():
    return sent(X.tolist())
