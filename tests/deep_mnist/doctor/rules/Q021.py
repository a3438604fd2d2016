"""Black digits on white for a model of white on black, and as in training."""

from tests.support.digits import draw_digits
from tests.support.request_examples import warned

X = draw_digits(4, seed=9)[0]


def fires():
    return warned(255 - X)


def silent():
    return warned(X)
