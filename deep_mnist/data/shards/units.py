"""What a file format is read in: units that workers read on their own, each in one pass, of bounded size.

A unit is a run of image files, a range of a table's bytes, or one Parquet file.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deep_mnist.data.array_errors import ArrayFileError
from deep_mnist.data.class_folders import ClassFolders, files_of, find_class_folders, names_of
from deep_mnist.data.csv_table import find_tables, read_columns, read_range
from deep_mnist.data.image_file import decode_file
from deep_mnist.data.parquet_table import find_shards, read_file
from deep_mnist.data.raw import ImageDecodeError, ImageSourceError, Label

Examples = Iterator[tuple[np.ndarray, list[int]]]  # images uint8 (k, …) and their classes
LEAST_CHARACTERS = 2  # of a pixel in a table, its comma with it


class ImageRun:
    """Image files with their classes."""

    def __init__(self, files: Sequence[tuple[Path, int]]) -> None:
        self.files = files

    def examples(self) -> Examples:
        """Yield them one by one."""
        for path, label in self.files:
            yield sound(f"{path.parent.name}/{path.name}", decode_file(path))[None], [label]


@dataclass(frozen=True)
class TableRange:
    """The lines of a table that begin in a range of its bytes."""

    path: Path
    start: int
    stop: int

    def examples(self) -> Examples:
        """Yield them in blocks."""
        try:
            for images, labels in read_range(self.path, self.start, self.stop):
                yield images, [number_of(label, self.path) for label in labels]
        except ArrayFileError as error:
            raise ArrayFileError(
                error.expected, f"{error.received}, counted from byte {self.start}", error.fix
            ) from error


@dataclass(frozen=True)
class ParquetFile:
    """One file of rows."""

    path: Path

    def examples(self) -> Examples:
        """Yield them one by one."""
        for name, image, label in read_file(self.path, []):
            yield sound(name, image)[None], [number_of(label, self.path)]


Unit = ImageRun | TableRange | ParquetFile


def units_of(source: Path, shard_bytes: int, seed: int) -> tuple[dict[str, list[Unit]], tuple[str, ...]]:
    """Return split -> units of a folder or file, and the class names.

    Image files are mixed before they are dealt to units: class by class, a shard would hold one class.

    Raises:
        ArrayFileError: It is not there, or no folder of class folders, tables of pixels or Parquet files.
    """
    if not source.exists():
        raise ArrayFileError(f"a folder or file at {source}", "nothing", "Name the folder that holds the data.")
    if source.is_dir() and (classes := find_class_folders(source)):
        names = names_of(classes)
        return {split: _runs(found, names, shard_bytes, seed) for split, found in classes.items()}, names
    if files := find_shards(source):
        names = _names_in(next(iter(files.values()))[0])
        return {split: [ParquetFile(path) for path in found] for split, found in files.items()}, names
    if tables := find_tables(source):
        return {split: _ranges(path, shard_bytes) for split, path in tables.items()}, ()
    raise ArrayFileError(
        f"class folders of images, tables of a label and pixels, or Parquet files in {source}",
        "none of them",
        "Name the folder that holds them.",
    )


def _runs(classes: ClassFolders, names: tuple[str, ...], shard_bytes: int, seed: int) -> list[Unit]:
    files = files_of(classes, names)
    order = np.random.default_rng(seed).permutation(len(files))
    first = decode_file(files[0][0])
    size = first.nbytes + 8 if isinstance(first, np.ndarray) else shard_bytes
    each = max(1, shard_bytes // size)
    return [ImageRun([files[at] for at in order[start : start + each]]) for start in range(0, len(files), each)]


def _ranges(path: Path, shard_bytes: int) -> list[Unit]:
    if path.name.lower().endswith(".gz"):
        raise ArrayFileError(
            f"a plain table, of which any part can be read, at {path.name}", "gzip", f"gunzip -k {path.name}"
        )
    columns = read_columns(path)
    pixels = math.prod(columns.shape) if columns else 1
    each = max(1, shard_bytes // (pixels + 8)) * pixels * LEAST_CHARACTERS
    size = path.stat().st_size
    return [TableRange(path, start, min(start + each, size)) for start in range(0, size, each)]


def _names_in(path: Path) -> tuple[str, ...]:
    names: list[str] = []
    next(read_file(path, names), None)
    return tuple(names)


def sound(name: str, image: np.ndarray | ImageDecodeError) -> np.ndarray:
    """Return an image that was decoded.

    Raises:
        ImageSourceError: It was not; the message names it.
    """
    if isinstance(image, ImageDecodeError):
        raise ImageSourceError("images that can be decoded", f"{name}: {image}", "Delete it, or write it again.")
    return image


def number_of(label: Label, path: Path) -> int:
    """Return a class as a number.

    Raises:
        ImageSourceError: It is a word: which number it has, only a pass over all of them would tell.
    """
    try:
        return int(float(label))
    except ValueError as error:
        raise ImageSourceError(
            f"numbers as labels in {path.name}", f"{label!r}", "Write the class's number in place of its name."
        ) from error


def count_of(units: Mapping[str, Sequence[Unit]]) -> int:
    """Return how many units there are."""
    return sum(len(each) for each in units.values())
