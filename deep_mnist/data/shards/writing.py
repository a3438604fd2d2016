"""Write shards, each whole or not at all."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import numpy as np

from deep_mnist.data.shards.shard_set import Shard
from deep_mnist.storage.store import Store

MOST_CLASSES = 1 << 16  # that are counted


def write_shard(store: Store, name: str, images: np.ndarray, labels: np.ndarray) -> Shard:
    """Write examples as one shard and return its entry of the manifest.

    Args:
        store: Receives it.
        name: Of the shard, such as "train-00017.npy".
        images: (n, …), any real dtype.
        labels: (n, …), any real dtype.
    """
    records = np.empty(len(images), record_of(images, labels))
    records["image"], records["label"] = images, labels
    stream = io.BytesIO()
    np.save(stream, records, allow_pickle=False)
    data = stream.getbuffer()
    stream.seek(0)
    store.put(stream, name, None)
    return Shard(name, len(records), data.nbytes, hashlib.sha256(data).hexdigest(), tally(labels))


def record_of(images: np.ndarray, labels: np.ndarray) -> np.dtype[Any]:
    """Return the dtype of an example of these arrays."""
    return np.dtype([("image", images.dtype, images.shape[1:]), ("label", labels.dtype, labels.shape[1:])])


def tally(labels: np.ndarray) -> dict[str, int]:
    """Return class as text -> how many of the labels it has; {} where these are no classes.

    >>> tally(np.array([3, 1, 3])), tally(np.eye(3)[[0, 2]]), tally(np.array([0.5]))
    ({'1': 1, '3': 2}, {'0': 1, '2': 1}, {})
    """
    numbers = class_numbers(labels)
    if numbers is None:
        return {}
    values, counts = np.unique(numbers, return_counts=True)
    return (
        {str(value): int(count) for value, count in zip(values, counts, strict=True)}
        if len(values) < MOST_CLASSES
        else {}
    )


def class_numbers(labels: np.ndarray) -> np.ndarray | None:
    """Return the class of each label, int64 (n,), sparse or one-hot; None where they are no classes."""
    if labels.ndim == 2 and labels.shape[1] > 1:
        return np.asarray(labels.argmax(axis=1))
    if not len(labels):
        return np.zeros(0, np.int64)
    flat = labels.reshape(len(labels), -1)
    if flat.shape[1] != 1 or labels.dtype.kind not in "iub":
        return None
    return np.asarray(flat[:, 0], np.int64)
