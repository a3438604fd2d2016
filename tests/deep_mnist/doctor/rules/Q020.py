"""Digits at a thousandth of their brightness, and as in training."""

from tests.support.digits import draw_digits
from tests.support.request_examples import warned

X = draw_digits(4, seed=9)[0]


def fires():
    return warned(X // 200)


def silent():
    return warned(X)
