"""Binary accuracy of four classes, half of whose outputs are rightly 0 when the class is wrong, and accuracy."""

from tests.support.live_examples import fitted, one_hot, table

ROWS = one_hot(table()[1])


def fires():
    return fitted(y=ROWS, loss="categorical_crossentropy", metrics=["binary_accuracy"])


def silent():
    return fitted(
        y=ROWS, loss="categorical_crossentropy", metrics=["categorical_accuracy", "top_k_categorical_accuracy"]
    )
