"""Pixels beyond a byte, and a byte's."""

from tests.support.digits import draw_digits
from tests.support.request_examples import sent

X = draw_digits(4, seed=9)[0]


def fires():
    return sent((X.astype(int) * 2).tolist())


def silent():
    return sent(X.tolist())
