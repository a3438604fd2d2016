"""Recognize what a folder or file of images is, and read it: class folders, CSV, Parquet, CIFAR batches.

Files of arrays (`.npy`, IDX, `.npz`) are `arrays.find_arrays`'s; they are looked for first, and most folders hold them:
so the readers are imported when they are needed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deep_mnist.data.raw import RawData

EXPECTED = (
    "train_images.npy and train_labels.npy, IDX files, one .npz, a folder of images for each class, "
    "a CSV of label and pixels, Parquet, or CIFAR batches"
)


def recognize(path: Path) -> Callable[[], RawData] | None:
    """Return what reads the images at `path`, a folder or one file, or None when they are nothing known.

    Nothing but names and first lines is read before it is called; it raises MissingPackageError, and tells every
    other fault in `RawData.faults`.

    Raises:
        ArrayFileError: The files are known, but not which is for training.
    """
    from deep_mnist.data.csv_table import find_tables, read_tables
    from deep_mnist.data.parquet_table import find_shards, read_shards

    if path.is_dir() and (reader := _recognize_folder(path)):
        return reader
    if shards := find_shards(path):
        return partial(read_shards, shards)
    if tables := find_tables(path):
        return partial(read_tables, tables)
    return None


def _recognize_folder(path: Path) -> Callable[[], RawData] | None:
    from deep_mnist.data.cifar import find_batches, read_batches
    from deep_mnist.data.class_folders import find_class_folders, read_class_folders

    if batches := find_batches(path):
        return partial(read_batches, batches)
    if classes := find_class_folders(path):
        return partial(read_class_folders, classes)
    return None


def is_image_file(name: str) -> bool:
    """Return whether one file of this name may hold a whole dataset.

    >>> is_image_file("train.csv.gz"), is_image_file("digits.parquet"), is_image_file("7.png")
    (True, True, False)
    """
    from deep_mnist.data.csv_table import is_table
    from deep_mnist.data.parquet_table import ENDING

    return is_table(name) or name.lower().endswith(ENDING)
