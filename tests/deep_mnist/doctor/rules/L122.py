"""One-hot rows of eleven columns for ten units; and of ten."""

import numpy as np

from tests.support.doctor_cases import ONE_HOT
from tests.support.rule_examples import digits, judged


def fires():
    case = digits().labels(lambda labels: np.eye(11, dtype="float32")[labels + 1])
    return judged(case.with_settings(loss=ONE_HOT))


def silent():
    return judged(digits().one_hot())
