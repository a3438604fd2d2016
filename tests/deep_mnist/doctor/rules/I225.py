"""Records with named fields, and rows."""

import numpy as np

from tests.support.live_examples import linear_table, regressed

rows, targets = linear_table()


def fires():
    return regressed(np.array([tuple(row) for row in rows], dtype=[("age", float), ("fare", float), ("class", float)]))


def silent():
    return regressed(rows)
