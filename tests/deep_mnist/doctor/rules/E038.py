"""Whole numbers divided in place, and a text."""

from tests.support.crashing import crashed


def fires():
    return crashed('import numpy as np\nx = np.zeros(3, "uint8")\nx /= 255\n')


def silent():
    return crashed('import numpy as np\nx = "3"\nx /= 255\n')
