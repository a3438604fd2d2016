"""Blank images, and digits."""

from tests.support.digits import draw_digits
from tests.support.request_examples import warned

X = draw_digits(4, seed=9)[0]


def fires():
    return warned(X * 0)


def silent():
    return warned(X)
