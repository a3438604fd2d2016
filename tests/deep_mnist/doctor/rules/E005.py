"""A program that fails so, and the same mended."""

from tests.support.crashing import crashed

FAILING = """\
print "epochs", 3
"""
MENDED = """\
print("epochs", 3)
"""


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
