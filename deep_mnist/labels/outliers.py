"""Examples like no other one: farther from the landmarks than the spread of a set explains."""

from __future__ import annotations

import numpy as np

from deep_mnist.doctor.probe.features import distances

LANDMARKS = 1000
CHUNK = 2048  # examples at a time
BEYOND = 5.0  # deviations of the logarithm of the distance, robustly
NEAREST = 3  # landmarks whose mean distance counts


def outliers(features: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return the indices of examples that are like no other, the farthest first.

    Args:
        features: float32 (n, k).
        seed: Of the draw of landmarks.

    >>> rows = np.random.default_rng(0).standard_normal((500, 8)).astype(np.float32)
    >>> rows[40] *= 30
    >>> outliers(rows).tolist()
    [40]
    """
    count = min(LANDMARKS, len(features))
    if count <= NEAREST:
        return np.zeros(0, np.int64)
    landmarks = np.sort(np.random.default_rng(seed).choice(len(features), count, replace=False))
    far = np.concatenate(
        [
            _mean_distance(features, landmarks, at, min(at + CHUNK, len(features)))
            for at in range(0, len(features), CHUNK)
        ]
    )
    logs = np.log(np.maximum(far, 1e-12))
    middle = np.median(logs)
    # The upper half alone: a set with many nearly equal examples has a long lower tail.
    spread = 1.4826 * float(np.median(logs[logs >= middle] - middle))
    found = np.flatnonzero(logs > middle + BEYOND * max(spread, 1e-6))
    ordered: np.ndarray = found[np.argsort(-logs[found], kind="stable")]
    return ordered


def _mean_distance(features: np.ndarray, landmarks: np.ndarray, start: int, stop: int) -> np.ndarray:
    """Return float64 (stop - start,): the mean squared distance to the nearest landmarks that are other examples."""
    squares = distances(features[start:stop], features[landmarks])
    own = np.flatnonzero((landmarks >= start) & (landmarks < stop))
    squares[landmarks[own] - start, own] = np.inf
    near = np.partition(squares, NEAREST - 1, axis=1)[:, :NEAREST]
    mean: np.ndarray = near.mean(axis=1, dtype=np.float64)
    return mean
