"""Each row an array of its own in an array of objects, and the rows stacked."""

import numpy as np

from tests.support.live_examples import linear_table, regressed

rows, targets = linear_table()


cells = np.empty(len(rows), dtype=object)
cells[:] = list(rows)


def fires():
    return regressed(cells)


def silent():
    return regressed(np.stack(list(cells)))
