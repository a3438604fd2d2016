"""Drawn digits, some of whose labels were changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.support.digits import draw_digits

CHANGED = 20


def noisy_digits(count: int = 800, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return images uint8 (count, 28, 28), labels int64 (count,) and the rising indices of the changed ones."""
    images, labels = draw_digits(count, seed=seed)
    random = np.random.default_rng(seed)
    changed = np.sort(random.choice(count, CHANGED, replace=False))
    given = labels.astype(np.int64)
    given[changed] = (given[changed] + random.integers(1, 10, CHANGED)) % 10
    return images, given, changed


def write_noisy_folder(folder: Path, count: int = 800, seed: int = 0) -> np.ndarray:
    """Write such digits as a user's folder and return the indices of the changed ones."""
    images, given, changed = noisy_digits(count, seed)
    folder.mkdir(parents=True)
    np.save(folder / "train_images.npy", images)
    np.save(folder / "train_labels.npy", given.astype(np.uint8))
    return changed
