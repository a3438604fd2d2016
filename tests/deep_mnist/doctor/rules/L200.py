"""Prices of a quarter of a million after 90 updates of Adam, and the same prices standardized."""

from tests.support.live_examples import linear_table, regressed

rows, targets = linear_table()


prices = 250_000 + 60_000 * targets


def fires():
    return regressed(rows, prices, epochs=30)


def silent():
    return regressed(rows, (prices - prices.mean()) / prices.std(), epochs=30)
