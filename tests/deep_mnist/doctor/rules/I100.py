"""Pixels divided by 255 as integers; a threshold leaves 0 and 1 as well, and enough ones."""

import numpy as np

from tests.support.rule_examples import digits, judged


def fires():
    return judged(digits().images(lambda x: (np.rint(x * 255).astype(np.uint8) // 255).astype("float32")))


def silent():
    return judged(digits().images(lambda x: (x > 0.5).astype("float32")))
