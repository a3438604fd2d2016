"""Train's rows beside test's, by the hashes that their surveys kept."""

from __future__ import annotations

import numpy as np

from deep_mnist.doctor.case import Case

MOST = 0.5  # of the pairs of equal rows


def hashes_of_both(case: Case) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return the hashes kept of train's rows and of test's, each with the rows that they are of, rising.

    uint64 (kept,) and int64 (kept,); none where rows of the one split cannot be rows of the other.
    """
    ours, theirs = case.train.survey, case.test.survey if case.test else None
    if ours is None or theirs is None or not comparable(case):
        nothing = np.zeros(0, np.uint64), np.zeros(0, np.int64)
        return nothing, nothing
    level = max(ours.level, theirs.level)
    return ours.hashes_at(level), theirs.hashes_at(level)


def alike_by_nature(case: Case) -> bool:
    """Whether train's equal rows mostly have other targets: a copy has the target of what it was copied from."""
    train = case.train
    if train.classes is not None or train.labels is None or train.images is None or train.whole_images is not None:
        return False
    (hashes, at), _ = hashes_of_both(case)
    order = np.argsort(hashes, kind="stable")
    equal = hashes[order][1:] == hashes[order][:-1]
    if len(train.labels) != len(train.images) or not equal.any():
        return False
    ones, others = (
        train.labels[at[order][side][equal]].reshape(equal.sum(), -1) for side in (slice(1, None), slice(-1))
    )
    return bool((ones != others).any(axis=1).mean() > MOST)


def comparable(case: Case) -> bool:
    """Whether both splits have rows of one shape and dtype."""
    train, test = case.train.images, case.test.images if case.test else None
    return train is not None and test is not None and train.shape[1:] == test.shape[1:] and train.dtype == test.dtype
