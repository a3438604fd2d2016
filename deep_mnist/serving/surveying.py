"""Taking the survey of a training split: a sample of it in memory, whatever its size on disk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from deep_mnist.data.arrays import find_arrays
from deep_mnist.data.dataset import Dataset, DatasetError, Preprocessing
from deep_mnist.doctor.survey import sample_indices, take
from deep_mnist.export import raw_images
from deep_mnist.registry.judged_split import class_numbers
from deep_mnist.serving.distance import LEAST_EXAMPLES, TrainingDistance
from deep_mnist.serving.spread import Spread
from deep_mnist.serving.training_survey import COLUMNS, IMAGES, NUMBERS, TrainingSurvey, statistics_of

SAMPLE = 16_000  # examples that the statistics are taken of
LOW_CONFIDENCE = 0.05  # share of the judged split's predictions that count as of low confidence
RARE = 1 / 2000


def survey_training(dataset: Dataset, confidence: Sequence[float] = ()) -> TrainingSurvey:
    """Return the survey of a dataset's training split.

    Args:
        dataset: What preprocess wrote.
        confidence: Greatest probabilities on the judged split, 0..1, or quantiles of them.

    Raises:
        DatasetError: There is no preprocessing record, or no training split.
    """
    record, images, labels = _training_split(dataset)
    rows = sample_indices(len(images), SAMPLE)
    sample = take(images, rows)
    sample = sample if record.prepared else raw_images(sample, record)
    sample = sample[np.random.default_rng(0).permutation(len(sample))]
    known = np.asarray(confidence, dtype=np.float64)
    counts = np.bincount(labels.clip(0), minlength=max(2, record.num_classes))
    return TrainingSurvey(
        examples=len(images),
        class_names=dataset.class_names,
        classes=Spread.of_classes(counts / max(1, counts.sum())),
        confidence=Spread.of(known) if len(known) else None,
        low_confidence=float(np.quantile(known, LOW_CONFIDENCE)) if len(known) else 0.0,
        **_of_sample(sample),
    )


def _training_split(dataset: Dataset) -> tuple[Preprocessing, np.ndarray, np.ndarray]:
    """Return the record, the images as stored and the labels as integers."""
    found = {name: file for name, file in find_arrays(dataset.folder).items() if name.startswith("train_")}
    if dataset.record is None or set(found) != {"train_images", "train_labels"}:
        received = "no preprocessing record" if dataset.record is None else f"{sorted(found)}"
        raise DatasetError(
            f"Expected a preprocessed training split in {dataset.folder}. Received: {received}. Fix: Rerun preprocess."
        )
    return dataset.record, found["train_images"].open(), class_numbers(np.asarray(found["train_labels"].open()))


def _of_sample(sample: np.ndarray) -> dict[str, Any]:
    """Return what a survey says of the examples themselves."""
    kind = kind_of(sample)
    flat = sample.reshape(len(sample), -1).astype(np.float32)
    low, high = float(flat.min()), float(flat.max())
    center, scale = _columns(flat) if kind == COLUMNS else (np.zeros(0, np.float32), np.zeros(0, np.float32))
    values = (flat - center) / scale if kind == COLUMNS else flat.reshape(sample.shape)
    spreads = {name: Spread.of(each) for name, each in statistics_of(values, kind, low, high).items()}
    distance = None if kind == NUMBERS else TrainingDistance.fit(values)
    if distance:
        spreads["distance"] = Spread.of(distance.of(values))
    return {
        "kind": kind,
        "shape": tuple(sample.shape[1:]),
        "low": low,
        "high": high,
        "blank_share": float((flat.min(axis=1) == flat.max(axis=1)).mean()),
        "least_peak": float(np.quantile(flat.max(axis=1), RARE)),
        "center": center,
        "scale": scale,
        "distance": distance,
        "spreads": spreads,
        "abstains": _abstains(kind, len(sample), distance),
    }


def kind_of(sample: np.ndarray) -> str:
    """Return what examples (n, …) are: images, a table's columns, or integers that stand for something."""
    if sample.dtype.kind in "iu" and sample.dtype != np.uint8:
        return NUMBERS
    return COLUMNS if sample.ndim == 2 and not _is_flat_image(sample) else IMAGES


def _is_flat_image(sample: np.ndarray) -> bool:
    """Say whether rows are images written in one line: one range for all, and a square number of values."""
    side = round(sample.shape[1] ** 0.5)
    return side * side == sample.shape[1] and side > 4 and float(sample.min()) in (0.0, -1.0)


def _columns(flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and deviation of each column; one that never varied is left as it is."""
    deviation = flat.std(axis=0)
    return flat.mean(axis=0), np.where(deviation > 0, deviation, 1).astype(np.float32)


def _abstains(kind: str, count: int, distance: TrainingDistance | None) -> tuple[str, ...]:
    if kind == NUMBERS:
        return ("far from the training data: a distance between integers that stand for something means nothing",)
    if distance is None:
        return (f"far from the training data: the split has {count} examples, {LEAST_EXAMPLES} are needed",)
    return ()
