"""Strokes of a pen padded in whole numbers; and as floats."""

import numpy as np

from deep_mnist.doctor import check


def found(**padding):
    import keras

    random = np.random.default_rng(0)
    labels = np.arange(64) % 2
    strokes = [random.normal(each, 1, (random.integers(5, 12), 3)) for each in labels]
    padded = keras.utils.pad_sequences(strokes, maxlen=12, **padding)
    layers = [keras.Input((12, 3)), keras.layers.LSTM(8), keras.layers.Dense(2, activation="softmax")]
    model = keras.Sequential(layers)
    model.compile("adam", "sparse_categorical_crossentropy")
    return check(model, padded, labels, epochs=20)


def fires():
    return found()


def silent():
    return found(dtype="float32")
