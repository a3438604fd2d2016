"""One-hot rows for sparse_categorical_crossentropy; and for categorical_crossentropy."""

from tests.support.doctor_cases import SPARSE
from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().one_hot().with_settings(loss=SPARSE))


def silent():
    return judged(digits().one_hot())
