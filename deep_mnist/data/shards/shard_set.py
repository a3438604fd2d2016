"""The manifest of a split that lies in shards, and what a shard is.

A shard is one `.npy` file of records, `[("image", …), ("label", …)]`, that anyone reads with `np.load`. `shards.json`
lists them: where they lie, how many examples, bytes and which SHA-256 each. It is small, and lies in the dataset's
folder, whose own manifest has its SHA-256: so the identity of the dataset covers every byte of every shard.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from deep_mnist.data.dataset import SHARDS_FILE, DatasetError
from deep_mnist.storage.open import open_store
from deep_mnist.storage.store import Store

SHARD_BYTES = 4 << 20  # of a shard's examples, where nothing else is said: training holds some twelve of them
SHARDS_FOLDER = "shards"  # beside the manifest, where no address is named


@dataclass(frozen=True)
class Shard:
    """One file of a set.

    Attributes:
        name: Key in the set's store.
        count: Examples in it.
        bytes: Of the whole file.
        sha256: Of the whole file, hex.
        classes: Class as text -> examples of it; {} where the labels are no classes.
    """

    name: str
    count: int
    bytes: int
    sha256: str
    classes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ShardSet:
    """The shards of a dataset, split by split.

    Attributes:
        at: Address of the store that holds them, or a path below the folder of the manifest.
        image_shape, image_dtype: Of one example's image.
        label_shape, label_dtype: Of one example's label.
        splits: Split -> its shards, in order.
        folder: Of the manifest.
        class_names: In the order of the labels, where they are known.
    """

    at: str
    image_shape: tuple[int, ...]
    image_dtype: str
    label_shape: tuple[int, ...]
    label_dtype: str
    splits: Mapping[str, tuple[Shard, ...]]
    folder: str = ""
    class_names: tuple[str, ...] = ()

    def store(self) -> Store:
        """Return the store that holds the shards."""
        is_relative = "://" not in self.at and not self.at.startswith("/")
        return open_store(f"{self.folder.rstrip('/')}/{self.at}" if is_relative and self.folder else self.at)

    @cached_property
    def record(self) -> np.dtype[Any]:
        """The dtype of an example: image and label side by side."""
        image = ("image", np.dtype(self.image_dtype), self.image_shape)
        return np.dtype([image, ("label", np.dtype(self.label_dtype), self.label_shape)])

    def count(self, split: str) -> int:
        """Return how many examples a split has."""
        return sum(shard.count for shard in self.splits.get(split, ()))

    def to_json(self) -> str:
        """Return the manifest's text."""
        fields = {key: value for key, value in asdict(self).items() if key != "folder"}
        return json.dumps({"format": 1, **fields}, indent=1, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, folder: str = "") -> ShardSet:
        """Return the set that a manifest tells of.

        Args:
            text: Of the manifest.
            folder: Path or address where it lies.

        Raises:
            DatasetError: It is no such manifest.
        """
        try:
            fields = json.loads(text)
            if fields.pop("format") != 1:
                raise ValueError("another format than 1")
            for name in ("image_shape", "label_shape", "class_names"):
                fields[name] = tuple(fields[name])
            splits = fields.pop("splits").items()
            shards = {split: tuple(Shard(**shard) for shard in listed) for split, listed in splits}
            return cls(**fields, splits=shards, folder=folder)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DatasetError(
                f"Expected {SHARDS_FILE} of format 1 in {folder}. Received: {error!r}. Fix: write the shards again"
            ) from error


def shards_in(folder: Path) -> ShardSet | None:
    """Return the set whose manifest lies in a folder, None where there is none.

    >>> import tempfile
    >>> shards_in(Path(tempfile.mkdtemp())) is None
    True
    """
    path = folder / SHARDS_FILE
    return ShardSet.from_json(path.read_bytes(), str(folder.absolute())) if path.is_file() else None
