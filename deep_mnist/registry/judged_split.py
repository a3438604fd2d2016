"""The frozen split that models are judged on, the same for every network."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deep_mnist.data.arrays import find_arrays
from deep_mnist.data.dataset import Dataset, DatasetError, Preprocessing, sha256_of_array
from deep_mnist.export import raw_images


@dataclass(frozen=True)
class JudgedSplit:
    """The frozen split that models are judged on.

    Attributes:
        name: "test", or "validation" in data that have no test split.
        images: uint8 (n, rows, columns) when `raw`, else as the user prepared them for the network.
        labels: int64 (n,), 0..classes-1.
        raw: Whether the images are raw pixels.
        digest: SHA-256 over both arrays: the identity of the split, however a network wants it stored.
    """

    name: str
    images: np.ndarray
    labels: np.ndarray
    raw: bool
    digest: str


def open_split(dataset: Dataset) -> JudgedSplit:
    """Return the split that models are judged on, its labels as integers."""
    record = dataset.record
    if record is None:
        raise DatasetError(
            f"Expected a preprocessing record in {dataset.folder}. Received: none. Fix: Rerun preprocess."
        )
    name, images, labels = _held_out(dataset, record)
    if not len(labels) or len(labels) != len(images):
        raise DatasetError(
            f"Expected as many {name} labels as images, and some. Received: {len(images)} images and {len(labels)} "
            "labels. Fix: Run validate on the data."
        )
    images = images if record.prepared else raw_images(images, record)
    digest = _joined(sha256_of_array(images), sha256_of_array(labels))
    return JudgedSplit(name, images, labels, not record.prepared, digest)


def _held_out(dataset: Dataset, record: Preprocessing) -> tuple[str, np.ndarray, np.ndarray]:
    """Return name, images as stored and labels as integers of the test split, or the validation split without one."""
    files = {Path(name).stem: dataset.folder / name for name in dataset.files if name.endswith(".npy")}
    if record.prepared:
        found = {name: file.open() for name, file in find_arrays(dataset.folder).items()}
    else:
        found = {name: np.load(path, mmap_mode="r", allow_pickle=False) for name, path in files.items()}
    for split in ("test", "validation"):
        if {f"{split}_images", f"{split}_labels"} <= set(found):
            return split, np.asarray(found[f"{split}_images"]), class_numbers(np.asarray(found[f"{split}_labels"]))
    raise DatasetError(
        f"Expected test_images and test_labels in {dataset.folder}. Received: {sorted(found)}. "
        "Fix: Add a test split: without one no model can be judged."
    )


def _joined(images: str, labels: str) -> str:
    return hashlib.sha256(f"images {images}\nlabels {labels}\n".encode()).hexdigest()


def class_numbers(labels: np.ndarray) -> np.ndarray:
    """Integers (n,) or (n, 1), or one-hot rows (n, classes) -> int64 (n,).

    >>> class_numbers(np.array([[0, 0, 1], [1, 0, 0]])).tolist(), class_numbers(np.array([[7], [3]])).tolist()
    ([2, 0], [7, 3])
    """
    if labels.ndim == 2 and labels.shape[1] > 1:
        classes: np.ndarray = labels.argmax(axis=1).astype(np.int64)
        return classes
    return labels.reshape(-1).astype(np.int64)
