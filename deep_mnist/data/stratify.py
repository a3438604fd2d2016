"""Hold out a share of every class: one rule for the validation and the test split, wherever they are drawn."""

from __future__ import annotations

import numpy as np

VALIDATION_FRACTION = 1 / 12  # 5,000 of MNIST's 60,000 training examples


def held_out_rows(classes: np.ndarray, rows: np.ndarray, fraction: float, random: np.random.Generator) -> np.ndarray:
    """Return sorted rows, drawn so that every class gives the same share and the total is exact.

    The same seed draws the same rows on every machine (PCG64).

    Args:
        classes: Class of every example, integers (n,).
        rows: Indices into `classes` to draw from, integers (m,).
        fraction: Share of `rows` to hold out, 0 < f < 1.
        random: Where the draw comes from.

    >>> labels = np.repeat([0, 1, 2], [18, 18, 12])
    >>> drawn = held_out_rows(labels, np.arange(48), 1 / 12, np.random.default_rng(0))
    >>> np.bincount(labels[drawn]).tolist()
    [2, 1, 1]
    """
    values, counts = np.unique(classes[rows], return_counts=True)
    drawn = [
        random.choice(rows[classes[rows] == value], size=count, replace=False)
        for value, count in zip(values, held_out_counts(counts, fraction), strict=True)
    ]
    return np.sort(np.concatenate(drawn)) if drawn else rows[:0]


def held_out_counts(counts: np.ndarray, fraction: float) -> np.ndarray:
    """Return how many examples each class gives up, by the largest remainders.

    The sum is `fraction` of all, rounded, except where many classes are so small that one example of each is more.
    A class with two examples or more gives up at least one, and no class gives up all of its examples.

    Args:
        counts: Examples of each class, integers (classes,).
        fraction: Share to hold out, 0 < f < 1.

    >>> held_out_counts(np.array([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]), 1 / 12).sum()
    np.int64(5000)
    """
    shares = np.round(fraction * counts, 9)  # what a float adds to a share must not decide
    most = np.maximum(counts - 1, 0)
    held = np.clip(np.floor(shares).astype(np.int64), np.minimum(1, most), most)
    missing = int(np.floor(np.round(fraction * counts.sum(), 9) + 0.5)) - int(held.sum())
    by_remainder = np.argsort(-(shares - held), kind="stable")
    able = by_remainder[held[by_remainder] < most[by_remainder]]
    held[able[: max(0, missing)]] += 1
    return held
