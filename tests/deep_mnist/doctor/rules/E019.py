"""The length of a map, and a map that is read once and fails within the function."""

from tests.support.crashing import crashed


def fires():
    return crashed("sizes = map(len, ['one', 'two'])\ncount = len(sizes)\n")


def silent():
    return crashed("sizes = map(len, ['one', 2])\ncount = len(list(sizes))\n")
