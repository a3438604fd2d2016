"""A bad folder: a sound one of some format, and what is done to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.support.digits import draw_digits, write_idx_folder, write_raw_folder
from tests.support.image_files import write_batch, write_classes, write_digits_shard, write_table

TRAIN, TEST = 60, 20
Change = Callable[[Path], object]


class Mutation:
    """One bad folder: the format it starts from, what is done to it, and the name of that."""

    def __init__(self, base: str, name: str, change: Change) -> None:
        self.base, self.name, self.change = base, f"{base}: {name}", change

    def __repr__(self) -> str:
        return self.name

    def write(self, folder: Path) -> Path:
        """Write the bad folder and return it."""
        folder.mkdir(parents=True)
        BASES[self.base](folder)
        self.change(folder)
        return folder


def exchange(one: Path, other: Path) -> None:
    """Let two files change places."""
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def _npz(folder: Path) -> None:
    arrays = {}
    for split, count in (("train", TRAIN), ("test", TEST)):
        arrays[f"x_{split}"], arrays[f"y_{split}"] = draw_digits(count, seed=count)
    np.savez_compressed(folder / "digits.npz", **arrays)


def _tables(folder: Path) -> None:
    write_table(folder / "train.csv", TRAIN, 0)
    write_table(folder / "test.csv", TEST, 1)


def _shards(folder: Path) -> None:
    write_digits_shard(folder / "train-0.parquet", TRAIN, 0)
    write_digits_shard(folder / "test-0.parquet", TEST, 1)


def _classes(folder: Path) -> None:
    write_classes(folder / "train", TRAIN, 0)
    write_classes(folder / "test", TEST, 1)


def _batches(folder: Path) -> None:
    write_batch(folder / "data_batch_1", TRAIN, 0)
    write_batch(folder / "test_batch", TEST, 1)


BASES: dict[str, Change] = {
    "npy": lambda folder: write_raw_folder(folder, TRAIN, TEST),
    "idx": lambda folder: write_idx_folder(folder, TRAIN, TEST, packed=False),
    "idx.gz": lambda folder: write_idx_folder(folder, TRAIN, TEST),
    "npz": _npz,
    "csv": _tables,
    "parquet": _shards,
    "classes": _classes,
    "cifar": _batches,
}
