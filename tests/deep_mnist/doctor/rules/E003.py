"""The first asks for a package that is not there; the second for one that is."""

from tests.support.crashing import crashed

FAILING = """\
import no_such_package_here
"""
MENDED = """\
import json
"""


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
