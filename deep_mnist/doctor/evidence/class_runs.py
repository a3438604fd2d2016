"""Whether labels lie in runs of one class, from batch to batch: their order within a batch changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

FEW_RUNS = 0.5  # changes of label from one example to the next, relative to a shuffled set's
FEWEST = 20
NEXT_ALIKE = 2.0  # share of pairs of one class in batches that follow each other, relative to any two batches


def runs_of(labels: np.ndarray | None, sizes: Sequence[int] = ()) -> int | None:
    """Return how many classes labels have when they lie in runs of one class, else None.

    Args:
        labels: In order.
        sizes: Of the batches that they were taken in; () where these are not known.
    """
    if labels is None or labels.dtype.kind not in "fiub" or len(labels) < FEWEST:
        return None
    classes = labels.argmax(axis=1) if labels.ndim == 2 and labels.shape[1] > 1 else labels.reshape(-1)
    if len(classes) != len(labels):
        return None
    names, numbers = np.unique(classes, return_inverse=True)
    due = 1 - float(np.square(np.bincount(numbers) / len(numbers)).sum())
    changes = float((numbers[1:] != numbers[:-1]).mean())
    in_runs = len(names) > 1 and changes < FEW_RUNS * due
    return len(names) if in_runs and not _are_mixed(numbers, sizes, due) else None


def _are_mixed(numbers: np.ndarray, sizes: Sequence[int], due: float) -> bool:
    """Whether batches hold several classes each, and no more those of the batch before than those of any other.

    Args:
        numbers: int64, of the classes.
        sizes: Of the batches.
        due: The share of pairs of two classes among all examples.
    """
    if sum(sizes) != len(numbers) or min(sizes, default=0) < 1:
        return False
    parts = np.split(numbers, np.cumsum(sizes)[:-1])
    counts = np.stack([np.bincount(each, minlength=int(numbers.max()) + 1) for each in parts]).astype(float)
    held = counts.sum(axis=1)
    pairs = float((held * (held - 1)).sum())
    within = 1 - float((counts * (counts - 1)).sum()) / pairs if pairs else 0.0
    if len(parts) < 2 or within < FEW_RUNS * due:
        return False
    totals = counts.sum(axis=0)
    apart = float(np.square(totals).sum() - np.square(counts).sum()) / float(held.sum() ** 2 - np.square(held).sum())
    following = float((counts[1:] * counts[:-1]).sum()) / float((held[1:] * held[:-1]).sum())
    return following <= NEXT_ALIKE * apart
