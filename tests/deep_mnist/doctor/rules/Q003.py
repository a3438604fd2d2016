"""An empty list, and a list of one image."""

from tests.support.digits import draw_digits
from tests.support.request_examples import sent

X = draw_digits(4, seed=9)[0]


def fires():
    return sent([])


def silent():
    return sent(X[:1].tolist())
