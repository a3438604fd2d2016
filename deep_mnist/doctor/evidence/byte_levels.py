"""Some images as bytes: of those that are bytes, as they are or divided by 255."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from deep_mnist.doctor.evidence.sampling import sample_indices, take

SAMPLE = 200  # images looked at of a split
MOST_VALUES = 600_000  # pixels looked at; of images so large that these are too few, nothing is judged
FEWEST = 100
NEAR = 0.01  # of a level, that floats may lie beside it


class ByteLevels(NamedTuple):
    """A sample of a split.

    Attributes:
        images: uint8 (n, …).
        shares: float64 (256,), of all pixels, how many are of each level.
    """

    images: np.ndarray
    shares: np.ndarray

    @property
    def distinct(self) -> int:
        """Levels that occur."""
        return int(np.count_nonzero(self.shares))


def byte_levels(images: np.ndarray) -> ByteLevels | None:
    """Return some images (n, …) as levels 0..255; None where they are no bytes, too few or too large."""
    if len(images) < FEWEST or images.dtype.kind not in "fiu":
        return None
    count = min(SAMPLE, MOST_VALUES // max(1, images[0].size))
    if count < FEWEST:
        return None
    some = take(images, sample_indices(len(images), count))
    levels = some if some.dtype == np.uint8 else _as_bytes(some)
    if levels is None:
        return None
    return ByteLevels(levels, np.bincount(levels.reshape(-1), minlength=256) / levels.size)


def _as_bytes(some: np.ndarray) -> np.ndarray | None:
    low, high = float(some.min()), float(some.max())
    if not (low >= 0 and 0 < high <= 255):
        return None
    wide = some if some.dtype == np.float32 else some.astype(np.float64)
    levels = wide * wide.dtype.type(255 if high <= 1 else 1)
    whole = np.rint(levels)
    levels -= whole
    if max(float(levels.max()), -float(levels.min())) > NEAR:
        return None
    bytes_: np.ndarray = whole.astype(np.uint8)
    return bytes_
