"""One name for two layers, and a layer asked for by nothing."""

from tests.support.crashing import crashed

KERAS = "import keras\ni = keras.Input((4,))\n"


def fires():
    return crashed(
        KERAS + 'a = keras.layers.Dense(3, name="a")(i)\nkeras.Model(i, keras.layers.Dense(3, name="a")(a))\n'
    )


def silent():
    return crashed(KERAS + "keras.Model(i, keras.layers.Dense(3)(i)).get_layer()\n")
