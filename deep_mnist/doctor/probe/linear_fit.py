"""Whether numbers follow from feature columns by a linear function: a network without activations then suffices."""

from __future__ import annotations

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.evidence.sampling import sample_indices, take
from deep_mnist.doctor.evidence.task import Task

SAMPLE = 1000  # examples looked at
MOST_COLUMNS = 64
EXPLAINED = 0.95  # share of the targets' variance


def is_linear_task(case: Case) -> bool:
    """Return whether a linear function of the columns explains the targets; False where that is unknown."""
    images, labels = case.train.images, case.train.labels
    if case.task is not Task.NUMBERS or images is None or labels is None or images.dtype.kind not in "fiub":
        return False
    if not 1 <= images.ndim <= 2 or not 1 <= labels.ndim <= 2 or len(images) != len(labels):
        return False
    indices = sample_indices(len(images), SAMPLE)
    x = take(images, indices).reshape(len(indices), -1).astype(np.float64)
    y = take(labels, indices).reshape(len(indices), -1).astype(np.float64)
    if x.shape[1] > MOST_COLUMNS or len(x) < 2 * x.shape[1] + 4 or not (np.isfinite(x).all() and np.isfinite(y).all()):
        return False
    x = np.c_[(x - x.mean(0)) / (x.std(0) + 1e-12), np.ones(len(x))]
    rest = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    total = np.square(y - y.mean(0)).sum()
    return bool(total > 0 and np.square(rest).sum() < (1 - EXPLAINED) * total)
