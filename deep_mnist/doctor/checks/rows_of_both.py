"""Train's rows beside test's, by the hashes that their surveys kept."""

from __future__ import annotations

import numpy as np

from deep_mnist.doctor.case import Case


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


def comparable(case: Case) -> bool:
    """Whether both splits have rows of one shape and dtype."""
    train, test = case.train.images, case.test.images if case.test else None
    return train is not None and test is not None and train.shape[1:] == test.shape[1:] and train.dtype == test.dtype
