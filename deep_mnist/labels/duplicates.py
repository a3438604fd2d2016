"""Examples that are nearly the same: pairs among all, without comparing all with all.

Some examples are landmarks; each example is compared with those that share one of its two nearest landmarks. Near
duplicates lie so much closer to each other than to any landmark that they share one.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deep_mnist.doctor.probe.features import distances

ALIKE = 0.01  # squared distance of centred rows over their squared length: a correlation of 0.995
CHUNK = 2048  # rows compared at a time


def near_duplicates(rows: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return int64 (pairs, 2), the first of each pair below the second, of rows that nearly coincide.

    Args:
        rows: float32 (n, features), such as pixels.
        seed: Of the draw of landmarks.

    >>> rows = np.random.default_rng(1).standard_normal((300, 20)).astype(np.float32)
    >>> rows[7] = rows[250] + 0.001
    >>> near_duplicates(rows).tolist()
    [[7, 250]]
    """
    centred = rows - rows.mean(axis=1, keepdims=True) if rows.shape[1] > 2 else rows
    count = min(len(rows), max(1, 2 * round(len(rows) ** 0.5)))
    landmarks = np.sort(np.random.default_rng(seed).choice(len(rows), count, replace=False))
    nearest = _two_nearest(centred, centred[landmarks])
    found = [part for each in range(count) for part in _pairs(centred, np.flatnonzero((nearest == each).any(axis=1)))]
    return np.unique(np.concatenate(found), axis=0) if found else np.zeros((0, 2), np.int64)


def _two_nearest(rows: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Return int64 (n, 2): the two landmarks nearest to each row."""
    most = min(2, len(landmarks))
    parts = [distances(rows[at : at + CHUNK], landmarks) for at in range(0, len(rows), CHUNK)]
    return np.concatenate([np.argpartition(part, most - 1, axis=1)[:, :most] for part in parts])


def _pairs(rows: np.ndarray, members: np.ndarray) -> Iterator[np.ndarray]:
    """Yield pairs among some rows that nearly coincide."""
    own = rows[members]
    lengths = np.einsum("ij,ij->i", own, own)
    for at in range(0, len(own), CHUNK):
        some = slice(at, at + CHUNK)
        alike = distances(own[some], own) <= ALIKE * np.minimum(lengths[some, None], lengths)
        first, second = np.nonzero(alike)
        first += at
        kept = first < second
        if kept.any():
            yield np.stack([members[first[kept]], members[second[kept]]], axis=1)


def groups_of(count: int, pairs: np.ndarray) -> np.ndarray:
    """Return int64 (count,): the least example that each one hangs together with through pairs.

    >>> groups_of(5, np.array([[0, 3], [3, 4]])).tolist()
    [0, 1, 2, 0, 0]
    """
    group = np.arange(count)
    while len(pairs):
        least = np.minimum(group[pairs[:, 0]], group[pairs[:, 1]])
        before = group.copy()
        for side in (0, 1):
            np.minimum.at(group, pairs[:, side], least)
        group = group[group]
        if np.array_equal(before, group):
            break
    return group
