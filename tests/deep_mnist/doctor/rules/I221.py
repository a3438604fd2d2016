"""A column of dates, and of years."""

import numpy as np

from tests.support.live_examples import linear_table, regressed

rows, targets = linear_table()


def fires():
    days = (np.datetime64("2020-01-01") + np.arange(len(rows))).astype(object)[:, np.newaxis]
    return regressed(np.concatenate([days, rows[:, 1:].astype(object)], axis=1))


def silent():
    years = 2020 + np.arange(len(rows))[:, np.newaxis] / 365
    return regressed(np.concatenate([years, rows[:, 1:]], axis=1))
