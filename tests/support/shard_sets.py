"""Small sets of shards in a folder."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from deep_mnist.data.dataset import SHARDS_FILE
from deep_mnist.data.shards.shard_set import ShardSet
from deep_mnist.data.shards.writing import write_shard
from deep_mnist.storage.open import open_store


def write_set(
    folder: Path, sizes: Sequence[int], images: np.ndarray | None = None, labels: np.ndarray | None = None
) -> ShardSet:
    """Write examples as shards of these sizes, with their manifest; random images (n, 4, 4) where none are given."""
    count = sum(sizes)
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (count, 4, 4), np.uint8) if images is None else images
    labels = random.integers(0, 3, count) if labels is None else labels
    store, ends = open_store(str(folder)), np.cumsum([0, *sizes])
    listed = tuple(
        write_shard(store, f"train-{number:05d}.npy", images[first:last], labels[first:last])
        for number, (first, last) in enumerate(itertools.pairwise(ends))
    )
    made = ShardSet(
        ".", images.shape[1:], images.dtype.str, labels.shape[1:], labels.dtype.str, {"train": listed}, str(folder)
    )
    (folder / SHARDS_FILE).write_text(made.to_json())
    return made
