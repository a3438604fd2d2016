"""Parquet as the Hugging Face hub writes it: a column of images, {"bytes", "path"}, and a column of labels."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from deep_mnist.data.array_errors import ArrayFileError, damaged, kind_by_first_bytes, short
from deep_mnist.data.image_file import decode_image
from deep_mnist.data.raw import (
    Gathered,
    ImageDecodeError,
    Label,
    MissingPackageError,
    RawData,
    RawSplit,
    raw_data,
    split_of,
)

ENDING = ".parquet"
LABEL_NAMES = ("label", "labels", "fine_label", "class", "target", "y", "digit")
BATCH = 32  # rows in memory at a time: a dictionary may repeat one large image in each
MAX_FILES = 10_000
Shards = dict[str, list[Path]]


def find_shards(folder: Path) -> Shards:
    """Return split -> its files in order (or of one file), in the folder itself or one folder below; {} without any.

    Raises:
        ArrayFileError: Several folders below hold Parquet, or there are too many files.
    """
    if folder.is_file():
        return {"train": [folder]} if folder.suffix.lower() == ENDING else {}
    files = sorted(folder.glob(f"*{ENDING}")) or sorted(folder.glob(f"*/*{ENDING}"))
    places = {path.parent for path in files}
    if len(places) > 1 or len(files) > MAX_FILES:
        raise ArrayFileError(
            f"at most {MAX_FILES} Parquet files in one folder",
            f"{len(files)} in {', '.join(sorted(place.name for place in places)[:8])}",
            "Name one of the folders.",
        )
    found: Shards = {}
    for path in files:
        found.setdefault(split_of(path.name) or "train", []).append(path)
    return found


def read_shards(shards: Shards) -> RawData:
    """Return the images and labels; class names come from the hub's own entry in the schema.

    Args:
        shards: What `find_shards` returned.

    Raises:
        MissingPackageError: The reader of Parquet is not installed.
    """
    if find_spec("arro3") is None or find_spec("arro3.io") is None:
        raise MissingPackageError(
            "Expected the package arro3-io to read Parquet. Received: not installed. "
            'Fix: pip install "deep-mnist[parquet]"'
        )
    names: list[str] = []
    read = {split: _read_split(paths, names) for split, paths in shards.items()}
    return raw_data(read, names)


def _read_split(paths: Sequence[Path], names: list[str]) -> RawSplit:
    """Read the files of one split; `names` receives the class names once."""
    gathered = Gathered()
    labels: list[Label] = []
    try:
        for path in paths:
            for name, image, label in read_file(path, names):
                gathered.add(name, image)
                labels.append(label)
        split = gathered.finish()
    except ArrayFileError as error:
        return RawSplit(faults={"images": error})
    split.labels = labels
    return split


def read_file(path: Path, names: list[str]) -> Iterator[tuple[str, np.ndarray | ImageDecodeError, Label]]:
    """Yield (name, image, label) of each row of one file; `names` receives the class names once.

    Raises:
        ArrayFileError: The file is damaged, or has no column of images and of labels.
    """
    for number, (content, label) in enumerate(_rows(path, names)):
        decoded = content if isinstance(content, ImageDecodeError) else decode_image(content)
        yield f"{path.name} row {number}", decoded, label


def _rows(path: Path, names: list[str]) -> Iterator[tuple[bytes | ImageDecodeError, Label]]:
    for batch in _batches(path):
        image, label = _columns(path, batch.schema)
        if not names:
            names.extend(_class_names(batch.schema.metadata, label))
        for content, its_label in zip(batch.column(image).to_pylist(), batch.column(label).to_pylist(), strict=True):
            yield _content(content), -1 if its_label is None else its_label


def _batches(path: Path) -> Iterator[Any]:
    """Yield the file's batches of rows; whatever the reader fails with is an ArrayFileError."""
    from arro3.io import read_parquet

    _check_ends(path)
    try:
        yield from read_parquet(path, batch_size=BATCH)
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # its panics on damaged files derive from BaseException alone
        print(f"data: {path.name} is damaged", file=sys.stderr, flush=True)
        raise damaged(path, "an intact Parquet file", short(str(error)) or type(error).__name__) from error


def _check_ends(path: Path) -> None:
    if not path.is_file():
        raise ArrayFileError(f"a regular file {path.name}", "a folder or a device", "Download it again.")
    with path.open("rb") as stream:
        head = stream.read(512)
        stream.seek(max(path.stat().st_size - 4, 0))
        tail = stream.read(4)
    if head[:4] != b"PAR1":
        raise damaged(path, "a Parquet file (first bytes PAR1)", kind_by_first_bytes(head))
    if tail != b"PAR1" or path.stat().st_size < 12:
        raise damaged(path, "a whole Parquet file", "one that ends before its footer")


def _columns(path: Path, schema: Any) -> tuple[str, str]:
    """Return the names of the column of images and of the column of labels."""
    from arro3.core import DataType

    images = [each.name for each in schema if _is_image(each.type)]
    plain = [
        each.name
        for each in schema
        if DataType.is_integer(each.type) or str(each.type).rpartition("<")[2][:4] == "Utf8"
    ]
    labels = [name for name in LABEL_NAMES if name in plain] or (plain if len(plain) == 1 else [])
    if not images or not labels:
        raise ArrayFileError(
            f"a column of images and a column of labels ({', '.join(LABEL_NAMES)}) in {path.name}",
            ", ".join(each.name for each in schema)[:200],
            "Rename the columns, or write train_images.npy and train_labels.npy.",
        )
    return images[0], labels[0]


def _is_image(kind: Any) -> bool:
    from arro3.core import DataType

    if DataType.is_struct(kind):
        return any(each.name == "bytes" and _is_image(each.type) for each in kind.fields)
    return bool(DataType.is_binary(kind) or DataType.is_large_binary(kind) or DataType.is_binary_view(kind))


def _content(cell: Any) -> bytes | ImageDecodeError:
    content = cell.get("bytes") if isinstance(cell, dict) else cell
    if content is None:
        return ImageDecodeError("no bytes: only the path of an image, or nothing")
    return bytes(content)


def _class_names(metadata: Mapping[bytes, bytes], label: str) -> list[str]:
    """Return the names that the hub keeps in the schema: {"info": {"features": {label: {"names": […]}}}}."""
    try:
        names = json.loads(metadata[b"huggingface"])["info"]["features"][label]["names"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return []
    return names if isinstance(names, list) and all(isinstance(name, str) for name in names) else []
