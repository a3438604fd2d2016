"""A pixel that is infinite, and none."""

from tests.support.digits import draw_digits
from tests.support.request_examples import sent

X = draw_digits(4, seed=9)[0]


def fires():
    return sent([[[float("inf")] * 28] * 28])


def silent():
    return sent(X.tolist())
