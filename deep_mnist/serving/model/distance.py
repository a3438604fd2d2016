"""How far an example lies from the training data: one number, and the value that hardly any of them exceeds.

Images are averaged down to at most 256 values, columns are scaled to deviation 1; the distance is Mahalanobis', with
1 % of the mean variance added to each axis, so that a direction in which nothing ever varied (the dark border of
digits) counts much but not without end. The threshold is set on held-out halves: each half of the sample is measured
by the other. bench/serving.py measures how often it is wrong.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

VALUES = 256  # of one example after averaging
SHRINKAGE = 0.01
FALSE_WARNINGS = 1 / 2000  # share of examples like the training's that may be called far
LEAST_EXAMPLES = 1000  # fewer say nothing of one in a thousand


@dataclass(frozen=True)
class TrainingDistance:
    """The distance from one training set.

    Attributes:
        mean: float32 (values,), of the averaged examples.
        whitening: float32 (values, values).
        threshold: What hardly any training example exceeds.
    """

    mean: np.ndarray
    whitening: np.ndarray
    threshold: float

    @classmethod
    def fit(cls, examples: np.ndarray) -> TrainingDistance | None:
        """Return the distance from a sample, float32 (n, …) in random order; None when it is too small."""
        if len(examples) < LEAST_EXAMPLES:
            return None
        values = averaged(examples)
        half = len(values) // 2
        first, second = _whitening(values[:half]), _whitening(values[half:])
        held_out = np.concatenate([_distances(values[half:], *first), _distances(values[:half], *second)])
        allowed = int(len(held_out) * FALSE_WARNINGS)
        return cls(*_whitening(values), float(np.sort(held_out)[-1 - allowed]))

    def of(self, examples: np.ndarray) -> np.ndarray:
        """Return float32 (n,), distances of examples (n, …) as shares of the threshold: above 1 is far."""
        return _distances(averaged(examples), self.mean, self.whitening) / np.float32(self.threshold)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types; arrays as float32 in base64."""
        return {
            "mean": _text(self.mean),
            "whitening": _text(self.whitening),
            "threshold": self.threshold,
        }

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> TrainingDistance:
        mean = _array(stored["mean"])
        return cls(mean, _array(stored["whitening"]).reshape(len(mean), len(mean)), float(stored["threshold"]))


def averaged(examples: np.ndarray) -> np.ndarray:
    """float32 (n, rows, columns[, channels]) or (n, values) -> (n, at most 256), by averaging square blocks.

    More than 256 columns are thinned out evenly.
    """
    if examples.ndim == 2:
        return examples[:, :: -(-examples.shape[1] // VALUES)]
    images = examples if examples.ndim == 4 else examples[..., np.newaxis]
    images = images.reshape(*images.shape[:3], -1)
    side = 1
    while -(-images.shape[1] // side) * -(-images.shape[2] // side) * images.shape[3] > VALUES:
        side += 1
        if side > max(images.shape[1:3]):
            break
    rows, columns = images.shape[1] // side, images.shape[2] // side
    if images.shape[1:3] == (rows * side, columns * side):
        # Whole lines are added, twenty times as fast as np.mean over the two axes within a block.
        lines = reduce(np.add, (images[:, start::side] for start in range(side)))
        blocks: np.ndarray = reduce(np.add, (lines[:, :, start::side] for start in range(side)))
        return (blocks / np.float32(side * side)).reshape(len(images), -1)[:, :VALUES]
    for axis in (1, 2):
        starts = np.arange(0, images.shape[axis], side)
        counts = np.diff(np.append(starts, images.shape[axis])).astype(np.float32)
        shape = [-1 if each == axis else 1 for each in range(4)]
        images = np.add.reduceat(images, starts, axis=axis) / counts.reshape(shape)
    return images.reshape(len(images), -1)[:, :VALUES]


def _whitening(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean = values.mean(axis=0)
    variances, axes = np.linalg.eigh(np.cov((values - mean).T).reshape(values.shape[1], -1))
    floor = SHRINKAGE * max(float(variances.mean()), 1e-12)
    return mean, (axes / np.sqrt(np.maximum(variances, 0) + floor)).astype(np.float32)


def _distances(values: np.ndarray, mean: np.ndarray, whitening: np.ndarray) -> np.ndarray:
    distances: np.ndarray = np.sqrt(np.square((values - mean) @ whitening).sum(axis=1))
    return distances


def _text(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array, dtype=np.float32).tobytes()).decode()


def _array(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), np.float32)
