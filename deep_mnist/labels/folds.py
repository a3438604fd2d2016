"""Which fold each example belongs to: every class in every fold, duplicates in one."""

from __future__ import annotations

import numpy as np

from deep_mnist.labels.duplicates import groups_of

FOLDS = 5


class FoldsError(ValueError):
    """Labels that cannot be divided into folds."""

    fix = "give two classes or more, with ten examples each"


def fold_of(given: np.ndarray, groups: np.ndarray, folds: int = FOLDS, seed: int = 0) -> np.ndarray:
    """Return int64 (n,) in 0..folds-1; the same for the same labels, groups and seed on every machine.

    Args:
        given: Integers (n,), the labels.
        groups: Integers (n,), equal where examples must share a fold.
        folds: How many.
        seed: Of the draw.

    Raises:
        FoldsError: Fewer than two folds, or fewer examples than folds, or one class.

    >>> fold_of(np.array([0, 0, 1, 1]), np.arange(4), folds=2).reshape(2, 2).sum(axis=1).tolist()
    [1, 1]
    """
    if not 2 <= folds <= len(given) or len(np.unique(given)) < 2:
        raise FoldsError(
            f"Expected 2 folds or more, as many examples, and two classes. Received: {folds} folds, {len(given)} "
            f"examples, {len(np.unique(given))} classes."
        )
    leaders, place = np.unique(groups, return_inverse=True)
    first = np.full(len(leaders), len(given))
    np.minimum.at(first, place, np.arange(len(given)))
    order = np.random.default_rng(seed).permutation(len(leaders))
    by_class = order[np.argsort(given[first[order]], kind="stable")]
    fold = np.empty(len(leaders), np.int64)
    fold[by_class] = np.arange(len(leaders)) % folds
    found: np.ndarray = fold[place]
    return found


def grouped_folds(
    given: np.ndarray, pairs: np.ndarray, folds: int = FOLDS, seed: int = 0, judged: int | None = None
) -> np.ndarray:
    """Return int64 (n,), the fold of each example, near duplicates in one; -1 of what is only learned.

    Args:
        given: Integers (n,), the labels.
        pairs: Of `near_duplicates`.
        folds: How many.
        seed: Of the draw.
        judged: Only the first so many examples get a fold, and what is nearly the same as one of them; None: all.
    """
    groups = groups_of(len(given), pairs)
    count = len(given) if judged is None else judged
    fold = np.full(len(given), -1)
    fold[:count] = fold_of(given[:count], groups[:count], folds, seed)
    led = groups[count:] < count  # a group is named by its first example
    fold[count:][led] = fold[groups[count:][led]]
    return fold
