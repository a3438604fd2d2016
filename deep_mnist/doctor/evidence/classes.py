"""The class of each example, whatever the labels' encoding, without an array of all of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np

from deep_mnist.doctor.evidence.chunks import REAL_KINDS, Tally, are_whole, chunks, extent, tally_of
from deep_mnist.doctor.evidence.sampling import take

MOST_SCORE = 1.5  # of a row of scores, smoothed or not; larger numbers are classes grouped in batches
LOOKED_AT = 1000  # rows, for that
GREATEST = 2**31  # class as a float


class Classes:
    """Integers, one for each label.

    >>> classes = Classes(np.array([[0.1, 0.9], [1, 0], [0, 1]]))
    >>> len(classes), classes.at(np.array([0, 1])).tolist(), classes.tally.counts.tolist()
    (3, [1, 0], [1, 2])
    """

    def __init__(self, labels: np.ndarray) -> None:
        """Take whole numbers (n,) or (n, 1), or rows of scores (n, k) whose greatest counts."""
        self._labels = labels

    def __len__(self) -> int:
        return len(self._labels)

    def at(self, indices: np.ndarray) -> np.ndarray:
        """Return the classes of some examples, rising indices, int64 (k,)."""
        return self._of(take(self._labels, indices))

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (index of the first, int64 (k,)) for consecutive chunks."""
        for first, chunk in chunks(self._labels, start, stop):
            yield first, self._of(chunk)

    def tally_of(self, start: int, stop: int | None = None) -> Tally:
        """Return how many of the examples start..stop each class has."""
        return tally_of(chunk for _, chunk in self.chunks(start, stop))

    @cached_property
    def tally(self) -> Tally:
        """How many examples each class has."""
        return self.tally_of(0)

    @cached_property
    def changes(self) -> int:
        """How often the class differs from the example before."""
        changes, last = 0, self.at(np.arange(min(1, len(self))))
        for _, chunk in self.chunks():
            changes += int(np.count_nonzero(chunk[1:] != chunk[:-1])) + int(chunk[0] != last[0])
            last = chunk[-1:]
        return changes

    def _of(self, labels: np.ndarray) -> np.ndarray:
        if labels.ndim == 2 and labels.shape[1] > 1:
            return np.asarray(np.argmax(labels, axis=1))
        return labels.reshape(-1).astype(np.int64)


def classes_of(labels: np.ndarray | None) -> Classes | None:
    """Return the classes that labels of any encoding stand for, None when they stand for none.

    Args:
        labels: Integers or whole floats (n,) or (n, 1), or rows of scores (n, k) whose greatest counts.
    """
    if labels is None or labels.dtype.kind not in REAL_KINDS or not labels.size:
        return None
    if labels.ndim == 2 and labels.shape[1] > 1:
        return Classes(labels) if float(labels[:LOOKED_AT].max()) <= MOST_SCORE else None
    if labels.ndim > 2 or (labels.ndim == 2 and labels.shape[1] != 1):
        return None
    if labels.dtype.kind == "f":
        low, high = extent(labels)  # NaN where one is, and beyond the greatest where one is infinite
        if not (-GREATEST <= low and high <= GREATEST and are_whole(labels)):
            return None
    return Classes(labels)
