"""A range of a quotient, and a range of a text."""

from tests.support.crashing import crashed


def fires():
    return crashed("for each in range(7 / 2):\n    pass\n")


def silent():
    return crashed('for each in range("7"):\n    pass\n')
