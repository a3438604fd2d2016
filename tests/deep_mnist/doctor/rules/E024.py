"""A list of numbers divided, and a list of words."""

from tests.support.crashing import crashed


def fires():
    return crashed("sizes = [1, 2]\nhalves = sizes / 2\n")


def silent():
    return crashed('words = ["a", "b"]\nhalves = words / 2\n')
