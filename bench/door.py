"""How often the door warns of healthy examples: fresh ones of each kind of data, held against two thirds of the set.

Beside it, as a measure of what it is worth, the same examples inverted.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from bench.claims import Claim, tell
from bench.healthy import KINDS, available
from deep_mnist.data.dataset import Preprocessing, write_dataset
from deep_mnist.serving.door import look
from deep_mnist.serving.surveying import survey_training
from deep_mnist.serving.training_survey import TrainingSurvey

EXAMPLES, SEEDS = 5000, (0, 1)
ALLOWED = 1e-3


def main() -> int:
    """Print a line for each set; 0 when at most 1 healthy example in 1,000 is warned of over all of them."""
    wrong = total = 0
    for kind in filter(available, KINDS):
        for seed in SEEDS:
            warned, count = measure(kind, seed)
            wrong, total = wrong + warned, total + count
    print(f"healthy examples warned of: {wrong} of {total}")
    return (
        0 if tell(Claim("door: share of healthy examples warned of", wrong / max(1, total), ALLOWED, digits=5)) else 1
    )


def measure(kind: str, seed: int) -> tuple[int, int]:
    """Print one set's line; return how many of its fresh examples are warned of, and how many there are."""
    drawn = KINDS[kind](np.random.default_rng(seed), EXAMPLES)
    order = np.random.default_rng(seed).permutation(len(drawn.images))
    images, labels = drawn.images[order], drawn.labels[order]
    known = len(images) * 2 // 3
    survey = _survey(images[:known], labels[:known], drawn.classes)
    fresh = images[known:]
    healthy, inverted = _warned(fresh, survey), _warned(255 - fresh, survey)
    note = "; ".join(survey.abstains)
    print(f"{kind:20} seed {seed}: healthy {healthy} of {len(fresh)}, inverted {inverted}  {note}", flush=True)
    return healthy, len(fresh)


def _survey(images: np.ndarray, labels: np.ndarray, classes: int) -> TrainingSurvey:
    record = Preprocessing(
        source="healthy",
        layout="",
        image_shape=images.shape[1:],
        dtype="uint8",
        scale=1.0,
        offset=0.0,
        label_encoding="sparse",
        num_classes=classes,
        prepared=True,
    )
    with tempfile.TemporaryDirectory() as folder:
        return survey_training(write_dataset(Path(folder), {"train_images": images, "train_labels": labels}, record))


def _warned(images: np.ndarray, survey: TrainingSurvey) -> int:
    rows = np.zeros(len(images), bool)
    for warning in look(images, survey).warnings:
        rows |= warning.rows
    return int(rows.sum())


if __name__ == "__main__":
    sys.exit(main())
