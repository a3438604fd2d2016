"""A program that fails so, and the same mended."""

from tests.support.crashing import crashed

FAILING = """\
for each in xrange(3):
    pass
"""
MENDED = """\
xrange = range
for each in xrange(3):
    pass
"""


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
