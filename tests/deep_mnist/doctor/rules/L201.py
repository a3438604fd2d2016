"""Prices under plain gradient descent and a squared error, and the same prices standardized."""

from tests.support.live_examples import linear_table, regressed

rows, targets = linear_table()


prices = 250_000 + 60_000 * targets


def fires():
    return regressed(rows, prices, optimizer="sgd")


def silent():
    return regressed(rows, (prices - prices.mean()) / prices.std(), optimizer="sgd")
