"""A program that fails so, and the same mended."""

from tests.support.crashing import crashed

FAILING = """\
import keras
settings = {"rate": "1e-3"}
rate = keras.optimizers.SGD(settings["rate"])
"""
MENDED = FAILING.replace('settings["rate"]', 'float(settings["rate"])')


def fires():
    return crashed(FAILING)


def silent():
    return crashed(MENDED)
