"""One number in the place of a list of images, and a list."""

from tests.support.digits import draw_digits
from tests.support.request_examples import sent

X = draw_digits(4, seed=9)[0]


def fires():
    return sent(7)


def silent():
    return sent(X.tolist())
