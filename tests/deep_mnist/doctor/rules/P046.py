"""Ten epochs more, said as the last being the tenth, and as it being the twentieth."""

from tests.support.live_examples import fitted


def fires():
    return fitted(initial_epoch=10, epochs=10)


def silent():
    return fitted(initial_epoch=10, epochs=20)
