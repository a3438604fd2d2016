"""The message that Keras gives without a network, and another."""

from tests.support.crashing import crashed

FAILING = """\
raise Exception("URL fetch failure on https://example.org/cats.zip: None -- timed out")
"""
MENDED = """\
raise Exception("the cats are out")
"""


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
