"""Metrics for an output that is not there, and for one of two outputs."""

import keras

from deep_mnist.doctor import check
from tests.support.live_examples import table


def judged(metrics):
    x, y = table()
    rows = keras.Input((12,))
    price, kind = keras.layers.Dense(1, name="price"), keras.layers.Dense(4, activation="softmax", name="kind")
    model = keras.Model(rows, [price(rows), kind(rows)])
    model.compile("adam", ["mse", "sparse_categorical_crossentropy"], metrics=metrics)
    return check(model, x, [x[:, 0], y], epochs=20)


def fires():
    return judged({"sort": ["accuracy"]})


def silent():
    return judged({"kind": ["accuracy"]})
