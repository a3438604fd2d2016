"""A tensor among the settings of a layer, and a setting that is of no layer."""

from tests.support.crashing import crashed

KERAS = "import keras\ni = keras.Input((4,))\n"


def fires():
    return crashed(KERAS + "keras.layers.Flatten(i)\n")


def silent():
    return crashed(KERAS + 'keras.layers.Flatten(data_format="none")\n')
