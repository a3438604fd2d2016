"""A text that is missing among texts, and a number that is used as text where no texts are."""

from tests.support.crashing import crashed


def fires():
    return crashed("texts = ['a b', None]\nwords = [each.split() for each in texts]\n")


def silent():
    return crashed("sizes = [1.5, None]\nwords = [each.split() for each in sizes]\n")
