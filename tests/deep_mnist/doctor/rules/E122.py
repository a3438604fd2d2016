"""A Dense layer that is made and not called, and one that is called."""

from tests.support.crashing import crashed

FAILING = """\
import keras
i = keras.Input((4,))
h = keras.layers.Dense(8)
o = keras.layers.Dense(1)(h)
"""


def fires():
    return crashed(FAILING)


def silent():
    return crashed(FAILING.replace("Dense(8)", "Dense(8)(i)"))
