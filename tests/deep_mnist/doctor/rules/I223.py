"""Booleans and numbers in an array of objects, and in one of float32."""

import numpy as np

from tests.support.live_examples import linear_table, regressed

rows, targets = linear_table()


cells = np.concatenate([rows[:, 1:].astype(object), (rows[:, :1] > 0).astype(object)], axis=1)


def fires():
    return regressed(cells)


def silent():
    return regressed(cells.astype("float32"))
