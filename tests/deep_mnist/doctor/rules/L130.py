"""Labels of names; and of numbers."""

import numpy as np

from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().labels(lambda labels: np.array([f"digit {each}" for each in labels])))


def silent():
    return judged(digits())
