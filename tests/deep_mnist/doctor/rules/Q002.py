"""More images than the server takes in one request, and as many as it takes."""

from tests.support.digits import draw_digits
from tests.support.request_examples import sent

X = draw_digits(4, seed=9)[0]


def fires():
    return sent(X.tolist(), limit=3)


def silent():
    return sent(X.tolist(), limit=4)
