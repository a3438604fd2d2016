"""How often request validation warns of healthy examples: fresh ones of each kind, against two thirds of the set.

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
from deep_mnist.serving.model.profiling import profile_training_split
from deep_mnist.serving.model.reference_profile import ReferenceProfile
from deep_mnist.serving.requests.statistical_validation import compare_with_profile

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
    share = wrong / max(1, total)
    return 0 if tell(Claim("requests: share of healthy examples warned of", share, ALLOWED, digits=5)) else 1


def measure(kind: str, seed: int) -> tuple[int, int]:
    """Print one set's line; return how many of its fresh examples are warned of, and how many there are."""
    drawn = KINDS[kind](np.random.default_rng(seed), EXAMPLES)
    order = np.random.default_rng(seed).permutation(len(drawn.images))
    images, labels = drawn.images[order], drawn.labels[order]
    known = len(images) * 2 // 3
    profile = _profile(images[:known], labels[:known], drawn.classes)
    fresh = images[known:]
    healthy, inverted = _warned(fresh, profile), _warned(255 - fresh, profile)
    note = "; ".join(profile.abstains)
    print(f"{kind:20} seed {seed}: healthy {healthy} of {len(fresh)}, inverted {inverted}  {note}", flush=True)
    return healthy, len(fresh)


def _profile(images: np.ndarray, labels: np.ndarray, classes: int) -> ReferenceProfile:
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
        dataset = write_dataset(Path(folder), {"train_images": images, "train_labels": labels}, record)
        return profile_training_split(dataset)


def _warned(images: np.ndarray, profile: ReferenceProfile) -> int:
    rows = np.zeros(len(images), bool)
    for warning in compare_with_profile(images, profile).warnings:
        rows |= warning.rows
    return int(rows.sum())


if __name__ == "__main__":
    sys.exit(main())
