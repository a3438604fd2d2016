"""The target among the columns of the inputs, and only its causes."""

import numpy as np

from tests.support.live_examples import linear_table, regressed

rows, targets = linear_table()


def fires():
    return regressed(np.concatenate([rows, targets[:, np.newaxis]], axis=1), columns=4)


def silent():
    return regressed(np.concatenate([rows, rows[:, :1] ** 2], axis=1), columns=4)
