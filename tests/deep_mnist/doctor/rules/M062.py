"""A base that is frozen as it was made, and one that was trained for an epoch first."""

import keras

from tests.support.live_examples import fitted, network, table


def judged(epochs):
    base = keras.Sequential([keras.Input((12,)), *(keras.layers.Dense(32, activation="relu") for _ in range(2))])
    before = network(hidden=(base,))
    before.compile("adam", "sparse_categorical_crossentropy")
    before.fit(*table(), epochs=epochs, verbose=0)
    base.trainable = False
    return fitted(network(hidden=(base, 16)))


def fires():
    return judged(0)


def silent():
    return judged(1)
