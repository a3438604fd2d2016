"""A loop over a length, and a sum of a number, which no loop stands for."""

from tests.support.crashing import crashed


def fires():
    return crashed("names = ['a']\nfor each in len(names):\n    pass\n")


def silent():
    return crashed("total = sum(3)\n")
