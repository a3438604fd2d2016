"""A word that is number 0 among others, for mask_zero=True; and words from 1 on, 0 behind them."""

import numpy as np

from deep_mnist.doctor import check

WORDS = np.random.default_rng(0).integers(0, 10, (200, 12))


def found(words):
    import keras
    from keras import layers

    last = layers.Dense(1, activation="sigmoid")
    model = keras.Sequential([keras.Input((12,)), layers.Embedding(11, 8, mask_zero=True), layers.GRU(8), last])
    model.compile("adam", "binary_crossentropy")
    return check(model, words, np.arange(200) % 2, epochs=20)


def fires():
    return found(WORDS)


def silent():
    return found(np.where(np.arange(12) < 8, WORDS + 1, 0))
