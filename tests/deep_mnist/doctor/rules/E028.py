"""A condition of two values, and one of a single value."""

from tests.support.crashing import crashed


def fires():
    return crashed("import numpy as np\nif np.array([1, 2]) > 1:\n    pass\n")


def silent():
    return crashed('raise ValueError("The truth value is in doubt.")\n')
