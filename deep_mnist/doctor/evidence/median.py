"""The middle of numbers, without numpy.ma, which np.median imports: 7 ms of a cold call."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def median(numbers: np.ndarray | Sequence[float]) -> float:
    """Return the median of numbers, at least one and none of them NaN."""
    values = np.asarray(numbers)
    half = values.size // 2
    middle = (values.size - 1 - half, half)
    return float(np.partition(values, middle, axis=None)[[*middle]].mean())
