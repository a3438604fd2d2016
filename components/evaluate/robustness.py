"""How accuracy holds when images are shifted, rotated, blurred, dimmed, inverted or noisy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import ndimage

from components.evaluate.measures import wilson
from deep_mnist.data.dataset import Preprocessing
from deep_mnist.export import TrainedNetwork, raw_shape
from deep_mnist.registry.comparison import is_correct
from deep_mnist.registry.judged_split import JudgedSplit

EXAMPLES = 1000
SEED = 0
Images = np.ndarray

# Each takes and returns float32 (n, rows, columns), 0 the background and 255 the ink.
CHANGES: dict[str, tuple[str, Callable[[Images], Images]]] = {
    "shift": ("2 pixels right and down", lambda x: ndimage.shift(x, (0, 2, 2), order=0)),
    "rotation": ("15 degrees", lambda x: ndimage.rotate(x, 15, axes=(2, 1), reshape=False, order=1)),
    "noise": ("Gaussian, standard deviation 40 of 255", lambda x: x + _noise(x.shape, 40)),
    "blur": ("Gaussian, standard deviation 1 pixel", lambda x: ndimage.gaussian_filter(x, (0, 1, 1))),
    "contrast": ("ink at 40 %", lambda x: x * 0.4),
    "inversion": ("background and ink exchanged", lambda x: 255 - x),
}


def robustness(network: TrainedNetwork, split: JudgedSplit) -> list[dict[str, Any]]:
    """Return accuracy under each change, on the same at most 1000 images; empty when they are not images."""
    rows = np.arange(len(split.labels))
    if len(rows) > EXAMPLES:
        rows = np.sort(np.random.default_rng(SEED).choice(rows, EXAMPLES, replace=False))
    images = _gray_images(split, network.record, rows)
    if images is None:
        return []
    table = [_row("none", "the images as they are", network, split, split.images[rows], rows)]
    for name, (how, change) in CHANGES.items():
        changed = np.clip(change(images), 0, 255)
        table.append(_row(name, how, network, split, _restored(changed, split, rows), rows))
    return table


def _row(
    name: str, how: str, network: TrainedNetwork, split: JudgedSplit, images: np.ndarray, rows: np.ndarray
) -> dict[str, Any]:
    correct = int(is_correct(network.predict(images, raw=split.raw), split.labels[rows]).sum())
    return {
        "name": name,
        "how": how,
        "examples": len(rows),
        "accuracy": correct / len(rows),
        "interval": wilson(correct, len(rows)),
    }


def _gray_images(split: JudgedSplit, record: Preprocessing, rows: np.ndarray) -> Images | None:
    """Return the images as float32 (n, rows, columns), 0..255."""
    if split.raw:
        return split.images[rows].astype(np.float32)
    sides = raw_shape(record)
    stored = np.asarray(split.images[rows], dtype=np.float32)
    if stored[0].size != sides[0] * sides[1]:
        return None
    low, high = _range(split)
    return (stored.reshape(len(rows), *sides) - low) * (255.0 / (high - low))


def _restored(images: Images, split: JudgedSplit, rows: np.ndarray) -> np.ndarray:
    """Return changed images in the form and range of the split."""
    if split.raw:
        return np.rint(images).astype(np.uint8)
    low, high = _range(split)
    images = images * ((high - low) / 255.0) + low
    images = np.rint(images) if split.images.dtype.kind in "iu" else images
    return images.astype(split.images.dtype).reshape(split.images[rows].shape)


def _range(split: JudgedSplit) -> tuple[float, float]:
    low, high = float(split.images.min()), float(split.images.max())
    return low, high if high > low else low + 1.0


def _noise(shape: tuple[int, ...], deviation: float) -> Images:
    return np.random.default_rng(SEED).normal(0, deviation, shape).astype(np.float32)
