"""Images without their last column, and whole ones."""

from tests.support.digits import draw_digits
from tests.support.request_examples import sent

X = draw_digits(4, seed=9)[0]


def fires():
    return sent(X[:, :, :27].tolist())


def silent():
    return sent(X.tolist())
