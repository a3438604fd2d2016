"""A loss by a name of its own, and by that of Keras."""

from tests.support.live_examples import fitted


def fires():
    return fitted(loss="sparse_crossentropy")


def silent():
    return fitted(metrics=["acc", "sparse_categorical_crossentropy"])
