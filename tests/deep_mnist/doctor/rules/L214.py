"""The number of each customer as its class, and a few kinds of them."""

import numpy as np

from tests.support.live_examples import fitted, network, table

ROWS = table()[0]
CUSTOMERS = np.random.default_rng(0).permutation(len(ROWS))


def fires():
    return fitted(network(units=len(ROWS)), CUSTOMERS)


def silent():
    return fitted(y=CUSTOMERS % 4)
