"""The length of a symbol, and of a number."""

from tests.support.crashing import crashed

KERAS = "import keras\ni = keras.Input((4,))\n"


def fires():
    return crashed(KERAS + "len(i)\n")


def silent():
    return crashed(KERAS + "len(3)\n")
