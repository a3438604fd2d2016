"""Sentences for a network without a layer that reads words, and for one that has one."""

import numpy as np

from deep_mnist.doctor import check
from tests.support.live_examples import linear_table, regressed

rows, targets = linear_table()


texts = np.array(["the film was very good"] * 40 + ["the film was very bad indeed"] * 40)


def fires():
    return regressed(texts, columns=100)


def silent():
    import keras

    vectorize = keras.layers.TextVectorization(output_sequence_length=6)
    vectorize.adapt(texts)
    text = keras.Input((1,), dtype="string")
    hidden = keras.layers.Flatten()(keras.layers.Embedding(20, 4)(vectorize(text)))
    model = keras.Model(text, keras.layers.Dense(1)(hidden))
    model.compile(optimizer="adam", loss="mean_squared_error")
    return check(model, texts[:, np.newaxis], targets, epochs=50)
