"""An output of another Input, and a model of no output."""

from tests.support.crashing import crashed

KERAS = "import keras\ni = keras.Input((4,))\n"


def fires():
    return crashed(KERAS + "j = keras.Input((3,))\nkeras.Model(j, keras.layers.Dense(1)(i))\n")


def silent():
    return crashed(KERAS + "keras.Model(i, None)\n")
