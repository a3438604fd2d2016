"""Raw examples of a split in blocks that are read one by one, wherever they lie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from deep_mnist.data.shards.reading import read_shard
from deep_mnist.data.shards.shard_set import ShardSet
from deep_mnist.data.shards.writing import class_numbers, tally

ONE_CLASS = "0"  # of labels that are no classes


class RawBlocks(Protocol):
    """What is turned into shards."""

    def __len__(self) -> int: ...

    def read(self, block: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a block's images and labels."""

    def tally(self, block: int) -> Mapping[str, int]:
        """Return class as text -> examples of it in a block."""


class ArrayBlocks:
    """Arrays, their rows in a random order that depends on the seed: data sorted by class become mixed shards."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, rows: int, seed: int) -> None:
        self.images, self.labels, self.rows = images, labels, rows
        self.order = np.random.default_rng((seed, 2)).permutation(len(images))

    def __len__(self) -> int:
        return -(-len(self.order) // self.rows)

    def _chosen(self, block: int) -> np.ndarray:
        return np.sort(self.order[block * self.rows : (block + 1) * self.rows])

    def read(self, block: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a block's rows, rising."""
        rows = self._chosen(block)
        return np.asarray(self.images[rows]), np.asarray(self.labels[rows])

    def tally(self, block: int) -> Mapping[str, int]:
        """Count a block's classes."""
        return counted(self.labels[self._chosen(block)])


class ShardBlocks:
    """The shards of a set, each a block, checked when it is read."""

    def __init__(self, shards: ShardSet, split: str) -> None:
        self.shards, self.listed, self.store = shards, shards.splits[split], shards.store()

    def __len__(self) -> int:
        return len(self.listed)

    def read(self, block: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a shard's examples."""
        records = read_shard(self.store, self.listed[block], self.shards.record)
        return records["image"], records["label"]

    def tally(self, block: int) -> Mapping[str, int]:
        """Return what the manifest says."""
        shard = self.listed[block]
        return shard.classes or {ONE_CLASS: shard.count}


def counted(labels: np.ndarray) -> Mapping[str, int]:
    """Return class as text -> examples of it; all are of one class where the labels are no classes."""
    return tally(np.asarray(labels)) or {ONE_CLASS: len(labels)}


def numbers_of(labels: np.ndarray) -> np.ndarray:
    """Return the class of each label, int64 (n,), as `counted` counts them."""
    found = class_numbers(labels)
    return np.zeros(len(labels), np.int64) if found is None or not tally(labels) else found
