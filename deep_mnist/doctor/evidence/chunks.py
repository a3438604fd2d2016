"""Arrays of any length, a chunk at a time: nothing here takes memory for every example.

A memory map's pages are given back after each chunk, so that resident memory does not grow with the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from deep_mnist.doctor.evidence.sampling import release
from deep_mnist.doctor.finding import MAX_WHERE

REAL_KINDS = "fiub"  # numpy kinds of real numbers: floats, integers, booleans
FLOAT64_CHUNK_BYTES = 1 << 20  # of a chunk as float64
MOST_VALUES = 1 << 18  # different values that are counted
DENSE = 1 << 16  # span of whole numbers that are counted by place


def chunks(array: np.ndarray, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (index of the first, array[…]) for consecutive chunks of array[start:stop]."""
    end = len(array) if stop is None else min(stop, len(array))
    each = array.size // max(1, len(array))
    rows = max(1, FLOAT64_CHUNK_BYTES // (8 * max(1, each)))
    for first in range(start, end, rows):
        yield first, np.asarray(array[first : min(first + rows, end)])
        release(array, first, min(first + rows, end))


def holds(array: np.ndarray, test: Callable[[np.ndarray], np.ndarray]) -> bool:
    """Whether a test of elements holds for all of an array."""
    return all(bool(test(chunk).all()) for _, chunk in chunks(array))


def are_whole(array: np.ndarray) -> bool:
    """Whether all numbers are whole."""
    return array.dtype.kind in "iub" or holds(array, lambda chunk: chunk == np.rint(chunk))


def are_finite(array: np.ndarray) -> bool:
    """Whether no number is NaN or infinite."""
    return array.dtype.kind in "iub" or holds(array, np.isfinite)


def extent(array: np.ndarray) -> tuple[float, float]:
    """Return the least and the greatest number of an array that has some; NaN where there is one."""
    ends = [(float(chunk.min()), float(chunk.max())) for _, chunk in chunks(array)]
    return float(np.min([low for low, _ in ends])), float(np.max([high for _, high in ends]))


@dataclass(frozen=True)
class Wrong:
    """Examples for which a test holds: their number, and the indices of the first."""

    count: int
    where: tuple[int, ...]


def wrong_in(array: np.ndarray, test: Callable[[np.ndarray], np.ndarray]) -> Wrong:
    """Return the examples of which some element (or the example itself) is wrong by a test of a chunk."""
    count, where = 0, list[int]()
    for first, chunk in chunks(array):
        wrong = test(chunk).reshape(len(chunk), -1).any(axis=1)
        if found := int(np.count_nonzero(wrong)):
            count += found
            if len(where) < MAX_WHERE:
                where += (first + np.flatnonzero(wrong)[:MAX_WHERE]).tolist()
    return Wrong(count, tuple(where[:MAX_WHERE]))


class Tally(NamedTuple):
    """How often each value occurs.

    Attributes:
        values: Different values, rising.
        counts: int64, of each.
        complete: False when there were more than MOST_VALUES; the rest is not counted.
    """

    values: np.ndarray
    counts: np.ndarray
    complete: bool = True

    def of(self, value: float) -> int:
        """Return how often one value occurs."""
        return int(self.counts[self.values == value].sum())


def tally(array: np.ndarray, start: int = 0, stop: int | None = None) -> Tally:
    """Return the tally of array[start:stop], real numbers (n,)."""
    return tally_of(chunk for _, chunk in chunks(array, start, stop))


def tally_of(parts: Iterator[np.ndarray]) -> Tally:
    """Return the tally of arrays (n,) of one dtype together."""
    whole: Tally | None = None
    for part in parts:
        values, counts = _counted(part)
        if whole is not None and not np.array_equal(values, whole.values):
            joined = np.concatenate([whole.values, values])
            values, places = np.unique(joined, return_inverse=True)
            sums = np.zeros(len(values), np.int64)
            np.add.at(sums, places, np.concatenate([whole.counts, counts]))
            counts = sums
        elif whole is not None:
            counts = counts + whole.counts
        whole = Tally(values, counts)
        if len(values) > MOST_VALUES:
            return Tally(values[:MOST_VALUES], counts[:MOST_VALUES], complete=False)
    return whole if whole is not None else Tally(np.zeros(0, np.int64), np.zeros(0, np.int64))


def _counted(part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return np.unique's values and counts; of whole numbers near one another without sorting."""
    if part.dtype.kind in "iu" and len(part):
        least, greatest = int(part.min()), int(part.max())
        if greatest - least < DENSE and greatest < 1 << 62:
            counts = np.bincount(part.astype(np.int64) - least)
            present = np.flatnonzero(counts)
            return (present + least).astype(part.dtype), counts[present]
    values, counts = np.unique(part, return_counts=True)
    return values, counts
