"""Taking the reference profile of a training split, a sample by chunks, whatever the size of the examples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from deep_mnist.data.arrays import find_arrays
from deep_mnist.data.dataset import Dataset, DatasetError, Preprocessing
from deep_mnist.doctor.evidence.sampling import sample_indices, take
from deep_mnist.export import raw_images
from deep_mnist.registry.judged_split import class_numbers
from deep_mnist.serving.model.distance import LEAST_EXAMPLES, TrainingDistance, averaged
from deep_mnist.serving.model.reference_profile import (
    COLUMNS,
    IMAGES,
    NUMBERS,
    ReferenceProfile,
    standardized,
    statistics_of,
)
from deep_mnist.serving.model.spread import Spread

SAMPLE = 16_000  # examples that the statistics are taken of
CHUNK_BYTES = 64 << 20  # of float32 in memory at a time
LOW_CONFIDENCE = 0.05  # share of the judged split's predictions that count as of low confidence
RARE = 1 / 2000


def profile_training_split(dataset: Dataset, confidence: Sequence[float] = ()) -> ReferenceProfile:
    """Return the reference profile of a dataset's training split.

    Args:
        dataset: What preprocess wrote.
        confidence: Greatest probabilities on the judged split, 0..1, or quantiles of them.

    Raises:
        DatasetError: There is no preprocessing record, or no training split.
    """
    record, images, labels = _training_split(dataset)
    known = np.asarray(confidence, dtype=np.float64)
    counts = np.bincount(labels.clip(0), minlength=max(2, record.num_classes))
    return ReferenceProfile(
        examples=len(images),
        class_names=dataset.class_names,
        classes=Spread.of_classes(counts / max(1, counts.sum())),
        confidence=Spread.of(known) if len(known) else None,
        low_confidence=float(np.quantile(known, LOW_CONFIDENCE)) if len(known) else 0.0,
        **_of_examples(_Sample(images, record)),
    )


def moved_since(dataset: Dataset, profile: ReferenceProfile) -> dict[str, float]:
    """Return statistic -> population stability index of a dataset's training split against an earlier one's profile.

    Args:
        dataset: What preprocess wrote.
        profile: Of the earlier split.

    Raises:
        DatasetError: There is no preprocessing record or training split, or its examples are of another form.
    """
    record, images, labels = _training_split(dataset)
    sample = _Sample(images, record)
    if (sample.kind, sample.shape) != (profile.kind, profile.shape):
        raise DatasetError(
            f"Expected {profile.kind} of shape {profile.shape}, as before. Received: {sample.kind} of {sample.shape}. "
            "Fix: Compare data of one form."
        )
    found: list[dict[str, np.ndarray]] = []
    for chunk in sample:
        standard = profile.standardized(chunk)
        found.append(statistics_of(standard, profile.kind, profile.low, profile.high))
        if profile.distance:
            found[-1]["distance"] = profile.distance.of(standard)
    values = {name: np.concatenate([each[name] for each in found]) for name in found[0]}
    indices = {name: profile.spreads[name].moved(values[name]) for name in values if name in profile.spreads}
    return {**indices, "classes": profile.classes.moved(labels)}


def _training_split(dataset: Dataset) -> tuple[Preprocessing, np.ndarray, np.ndarray]:
    """Return the record, the images as stored and the labels as integers."""
    found = {name: file for name, file in find_arrays(dataset.folder).items() if name.startswith("train_")}
    if dataset.record is None or set(found) != {"train_images", "train_labels"}:
        received = "no preprocessing record" if dataset.record is None else f"{sorted(found)}"
        raise DatasetError(
            f"Expected a preprocessed training split in {dataset.folder}. Received: {received}. Fix: Rerun preprocess."
        )
    return dataset.record, found["train_images"].open(), class_numbers(np.asarray(found["train_labels"].open()))


class _Sample:
    """A sample of the training images, in the form in which requests come, read in chunks of at most 64 MB.

    Attributes:
        kind: Of the examples.
        count: Examples in the sample.
        shape: Of one example.
    """

    def __init__(self, images: np.ndarray, record: Preprocessing) -> None:
        self._images, self._record = images, record
        self._rows = sample_indices(len(images), SAMPLE)
        self.count = len(self._rows)
        pixels = max(1, int(np.prod(images.shape[1:], dtype=np.int64)))
        self._step = max(1, CHUNK_BYTES // (4 * pixels))
        first = self._chunk(0)
        self.kind, self.shape = example_kind(first), tuple(first.shape[1:])

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield float32 (k, *shape)."""
        return (self._chunk(start).astype(np.float32) for start in range(0, self.count, self._step))

    def _chunk(self, start: int) -> np.ndarray:
        stored = take(self._images, self._rows[start : start + self._step])
        return stored if self._record.prepared else raw_images(stored, self._record)


def _of_examples(sample: _Sample) -> dict[str, Any]:
    """Return what a profile says of the examples themselves, in two passes: ranges first."""
    lows, peaks = (np.concatenate(parts) for parts in zip(*map(_extremes, sample), strict=True))
    low, high = float(lows.min()), float(peaks.max())
    center, scale = _columns(sample)
    spreads, values = _spreads_and_values(sample, (center, scale), low, high)
    distance = None if sample.kind == NUMBERS else TrainingDistance.fit(values)
    if distance:
        spreads["distance"] = Spread.of(distance.of(values))
    return {
        "kind": sample.kind,
        "shape": sample.shape,
        "low": low,
        "high": high,
        "blank_share": float((lows == peaks).mean()),
        "least_peak": float(np.quantile(peaks, RARE)),
        "center": center,
        "scale": scale,
        "distance": distance,
        "spreads": spreads,
        "abstains": _abstains(sample.kind, sample.count, distance),
    }


def _extremes(chunk: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    flat = chunk.reshape(len(chunk), -1)
    return flat.min(axis=1), flat.max(axis=1)


def _spreads_and_values(
    sample: _Sample, columns: tuple[np.ndarray, np.ndarray], low: float, high: float
) -> tuple[dict[str, Spread], np.ndarray]:
    """Return how each statistic is spread, and the averaged examples, (n, at most 256), in random order."""
    found, values = [], []
    for chunk in sample:
        standard = standardized(chunk, sample.kind, *columns)
        found.append(statistics_of(standard, sample.kind, low, high))
        values.append(averaged(standard))
    spreads = {name: Spread.of(np.concatenate([each[name] for each in found])) for name in found[0]}
    return spreads, np.concatenate(values)[np.random.default_rng(0).permutation(sample.count)]


def example_kind(sample: np.ndarray) -> str:
    """Return what examples (n, …) are: images, a table's columns, or integers that stand for something."""
    if sample.dtype.kind in "iu" and sample.dtype != np.uint8:
        return NUMBERS
    return COLUMNS if sample.ndim == 2 and not _is_flat_image(sample) else IMAGES


def _is_flat_image(sample: np.ndarray) -> bool:
    """Say whether rows are images written in one line: one range for all, and a square number of values."""
    side = round(sample.shape[1] ** 0.5)
    return side * side == sample.shape[1] and side > 4 and float(sample.min()) in (0.0, -1.0)


def _columns(sample: _Sample) -> tuple[np.ndarray, np.ndarray]:
    """Return float32 mean and deviation of each column, empty for images; what never varied is left as it is."""
    if sample.kind != COLUMNS:
        return np.zeros(0, np.float32), np.zeros(0, np.float32)
    mean = sum(chunk.sum(axis=0, dtype=np.float64) for chunk in sample) / sample.count
    squares = sum(np.square(chunk - mean).sum(axis=0) for chunk in sample) / sample.count
    deviation = np.sqrt(squares)
    return mean.astype(np.float32), np.where(deviation > 0, deviation, 1).astype(np.float32)


def _abstains(kind: str, count: int, distance: TrainingDistance | None) -> tuple[str, ...]:
    if kind == NUMBERS:
        return ("far from the training data: a distance between integers that stand for something means nothing",)
    if distance is None:
        return (f"far from the training data: the split has {count} examples, {LEAST_EXAMPLES} are needed",)
    return ()
