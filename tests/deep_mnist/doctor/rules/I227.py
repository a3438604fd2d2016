"""NaN among the numbers that an Embedding looks up, and none."""

import numpy as np

from tests.support.live_examples import linear_table, regressed

rows, targets = linear_table()


tokens = np.random.default_rng(0).integers(0, 5, (80, 3)).astype("float32")


def read(ids):
    import keras

    return regressed(ids, targets, first=keras.layers.Embedding(6, 4))


def fires():
    return read(np.where(np.arange(3) + 3 * np.arange(80)[:, np.newaxis] == 7, np.nan, tokens))


def silent():
    return read(tokens)
