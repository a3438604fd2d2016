"""Small sets of digits in the formats in which images are published."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import struct
from pathlib import Path
from typing import ClassVar

import numpy as np
from PIL import Image

from tests.support.digits import draw_digits

Arrays = tuple[np.ndarray, np.ndarray]


def png(pixels: np.ndarray, form: str = "PNG") -> bytes:
    """Return an image file of uint8 (rows, columns[, channels])."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, form)
    return stream.getvalue()


def write_classes(folder: Path, count: int = 60, seed: int = 0, classes: int = 10) -> Arrays:
    """Write folder/LABEL/NUMBER.png and return the images in the order of the classes, with their labels."""
    images, labels = draw_digits(count, seed, classes)
    order = np.argsort(labels, kind="stable")
    for number, row in enumerate(order):
        path = folder / str(labels[row]) / f"{number:05}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(images[row]))
    return images[order], labels[order]


def write_table(path: Path, count: int = 60, seed: int = 0, *, header: bool = True) -> Arrays:
    """Write a CSV of label, pixel0 … (gzipped when its name ends in .gz) and return its images and labels."""
    images, labels = draw_digits(count, seed)
    lines = ["label," + ",".join(f"pixel{place}" for place in range(784))] if header else []
    lines += [f"{label}," + ",".join(map(str, image.reshape(-1))) for image, label in zip(images, labels, strict=True)]
    content = ("\n".join(lines) + "\n").encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content, 1) if path.suffix == ".gz" else content)
    return images, labels


def write_shard(path: Path, contents: list[bytes | None], labels: list[int], names: list[str] | None = None) -> Path:
    """Write Parquet as the hub does: a struct of bytes and path, a label, the features in the schema."""
    from arro3.core import Array, DataType, Field, Table, struct_array
    from arro3.io import write_parquet

    fields = [Field("bytes", DataType.binary()), Field("path", DataType.string())]
    paths = [f"{number}.png" for number in range(len(contents))]
    columns = [Array(contents, DataType.binary()), Array(paths, DataType.string())]
    table = Table.from_pydict({"image": struct_array(columns, fields=fields), "label": Array(labels, DataType.int64())})
    features = {"info": {"features": {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}}}
    metadata = {"huggingface": json.dumps(features)} if names else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_parquet(table.with_schema(table.schema.with_metadata(metadata)), path)
    return path


def write_digits_shard(path: Path, count: int = 60, seed: int = 0) -> Arrays:
    """Write a Parquet file of digits and return its images and labels."""
    images, labels = draw_digits(count, seed)
    write_shard(path, [png(image) for image in images], labels.tolist(), [f"digit {label}" for label in range(10)])
    return images, labels


class _Python2Pickler(pickle._Pickler):
    """Writes text and bytes alike as the strings of Python 2."""

    dispatch: ClassVar[dict] = dict(pickle._Pickler.dispatch)

    def save_string(self, value: str | bytes) -> None:
        content = value.encode("latin1") if isinstance(value, str) else value
        self.write(b"T" + struct.pack("<i", len(content)) + content)
        self.memoize(value)

    dispatch[str] = dispatch[bytes] = save_string


def pickled_by_python_2(value: object) -> bytes:
    """Return a pickle as the authors of CIFAR wrote theirs."""
    stream = io.BytesIO()
    _Python2Pickler(stream, 2).dump(value)
    return stream.getvalue()


def write_batch(
    path: Path, count: int = 20, seed: int = 0, *, labels_name: str = "labels", protocol: int | None = None
) -> Arrays:
    """Write a CIFAR batch of random colours, as Python 2 did unless a protocol is given.

    Returns: its images uint8 (n, 32, 32, 3) and labels.
    """
    random = np.random.default_rng(seed)
    data = random.integers(0, 256, (count, 3072), np.uint8)
    labels = random.integers(0, 10, count)
    path.parent.mkdir(parents=True, exist_ok=True)
    batch = {"data": data, labels_name: labels.tolist(), "filenames": ["a"] * count}
    path.write_bytes(pickled_by_python_2(batch) if protocol is None else pickle.dumps(batch, protocol))
    return data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), labels
