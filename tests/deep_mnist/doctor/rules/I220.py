"""A column of words among numbers, and the same column as numbers."""

import numpy as np

from tests.support.live_examples import linear_table, regressed

rows, targets = linear_table()


def fires():
    words = np.where(rows[:, :1] > 0, "male", "female").astype(object)
    return regressed(np.concatenate([rows[:, 1:].astype(object), words], axis=1))


def silent():
    return regressed(np.concatenate([rows[:, 1:], rows[:, :1] > 0], axis=1))
