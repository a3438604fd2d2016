"""Class numbers for categorical_crossentropy; and one-hot rows."""

from tests.support.doctor_cases import ONE_HOT
from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().with_settings(loss=ONE_HOT))


def silent():
    return judged(digits().one_hot())
