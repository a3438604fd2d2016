"""One image without a list around it, and with one."""

from tests.support.digits import draw_digits
from tests.support.request_examples import sent

X = draw_digits(4, seed=9)[0]


def fires():
    return sent(X[0].tolist())


def silent():
    return sent(X[:1].tolist())
