"""A table of pixels as Kaggle publishes digits: a label and pixel0, pixel1, … in each line, plain or gzipped.

A header is not required. An id column is passed over. A table without labels (Kaggle's test.csv) is no split.
"""

from __future__ import annotations

import gzip
import math
import re
import sys
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from deep_mnist.data.array_errors import ArrayFileError, damaged, kind_by_first_bytes, short
from deep_mnist.data.compressed_arrays import MAX_DECOMPRESSED_BYTES
from deep_mnist.data.raw import SPLIT_WORDS, Gathered, Label, RawData, RawSplit, raw_data, split_of

ENDINGS = (".csv", ".csv.gz")
LABEL_NAMES = ("label", "labels", "class", "target", "y", "digit")
ID_NAMES = ("id", "imageid", "index", "unnamed: 0", "")
MAX_LINE_BYTES = 4 << 20  # a million pixels of three digits
MIN_PIXELS = 16
BLOCK = 1000  # lines parsed at a time


@dataclass(frozen=True)
class Columns:
    """What the columns of a table are.

    Attributes:
        header: The first line holds names.
        leading, trailing: Columns before and after the pixels.
        label: Place of the label among the leading and trailing ones; None without one.
        shape: (rows, columns) or (rows, columns, 3) of one image.
    """

    header: bool
    leading: int
    trailing: int
    label: int | None
    shape: tuple[int, ...]


def find_tables(folder: Path) -> dict[str, Path]:
    """Return split -> table of pixels in a folder (or for one file), {} without any; only first lines are read.

    Raises:
        ArrayFileError: Several tables have labels and no name says which is for training.
    """
    files = [folder] if folder.is_file() else sorted(each for each in folder.iterdir() if each.is_file())
    tables = {each: columns for each in files if is_table(each.name) and (columns := read_columns(each))}
    labelled = [path for path, columns in tables.items() if columns.label is not None]
    for path in sorted(tables.keys() - set(labelled)):
        print(f"data: {path.name} has no label column and is passed over", file=sys.stderr, flush=True)
    broken = _broken_splits(folder, labelled, tables)
    found: dict[str, Path] = {}
    for path in labelled:
        found.setdefault(split_of(path.name) or "", path)
    unnamed = [path for path in labelled if not split_of(path.name)]
    if len(labelled) == 1 and not broken:
        return {"train": labelled[0]}
    if unnamed and "train" not in found:
        raise ArrayFileError(
            f"train and test in the names of the tables in {folder.name}",
            ", ".join(path.name for path in labelled[:8]),
            "Name them train.csv and test.csv.",
        )
    return {**broken, **{split: path for split, path in found.items() if split}}


def _broken_splits(folder: Path, labelled: list[Path], tables: Mapping[Path, Columns]) -> dict[str, Path]:
    """Return split -> what has the name of a labelled table but for the split's word, as train.csv and test.csv, and is
    no table: `read_tables` tells what is wrong with it."""
    patterns = {_without_split(path.name) for path in labelled if split_of(path.name)}
    others = sorted(folder.iterdir()) if patterns and folder.is_dir() else []
    return {
        str(split_of(each.name)): each
        for each in others
        if is_table(each.name) and each not in tables and split_of(each.name) and _without_split(each.name) in patterns
    }


def _without_split(name: str) -> tuple[str, ...]:
    """Return the words of a name, without that of a split."""
    words = re.split(r"[^a-z0-9]+", name.lower().removesuffix(".gz"))
    return tuple("*" if word in SPLIT_WORDS else word for word in words)


def is_table(name: str) -> bool:
    """Return whether a file's name is that of a CSV file."""
    return name.lower().endswith(ENDINGS)


def read_columns(path: Path) -> Columns | None:
    """Return what the columns are by the first line; None when they are no pixels of an image."""
    try:
        with _opened(path) as stream:
            line = stream.readline(MAX_LINE_BYTES)
    except (OSError, EOFError, zlib.error):
        return None
    cells = [_bare(cell) for cell in _text(line).split(",")]
    header = not all(_is_number(cell) for cell in cells)
    if header:
        return _by_names([cell.lower() for cell in cells])
    for label, lead, trail in ((None, 0, 0), (0, 1, 0), (0, 0, 1)):
        if shape := shape_of(len(cells) - lead - trail):
            return Columns(False, lead, trail, label, shape)
    return None


def _by_names(names: list[str]) -> Columns | None:
    known = {*LABEL_NAMES, *ID_NAMES}
    leading = next((place for place, name in enumerate(names) if name not in known), len(names))
    trailing = next((place for place, name in enumerate(reversed(names)) if name not in known), 0)
    if leading + trailing >= len(names):
        return None
    others = names[:leading] + names[len(names) - trailing :]
    label = next((place for place, name in enumerate(others) if name in LABEL_NAMES), None)
    shape = shape_of(len(names) - leading - trailing)
    return Columns(True, leading, trailing, label, shape) if shape else None


def shape_of(pixels: int) -> tuple[int, ...] | None:
    """Return the shape of an image of so many values: square, grey or RGB; None when there is none.

    >>> shape_of(784), shape_of(3072), shape_of(1000)
    ((28, 28), (32, 32, 3), None)
    """
    if pixels < MIN_PIXELS:
        return None
    side = math.isqrt(pixels)
    if side * side == pixels:
        return (side, side)
    side = math.isqrt(pixels // 3)
    return (side, side, 3) if side * side * 3 == pixels else None


def read_tables(tables: Mapping[str, Path]) -> RawData:
    """Return the images, uint8 (n, rows, columns[, 3]), and the labels; words become classes.

    Args:
        tables: What `find_tables` returned.
    """
    return raw_data({split: _read_split(path) for split, path in tables.items()})


def _read_split(path: Path) -> RawSplit:
    gathered = Gathered()
    labels: list[Label] = []
    try:
        columns = read_columns(path)
        if columns is None:
            raise damaged(path, "a table of a label and pixels", "another first line")
        with _opened(path) as stream:
            lines = _lines(path, stream)
            next(lines if columns.header else iter(()), None)
            first = 1 + columns.header
            while block := list(islice(lines, BLOCK)):
                gathered.add_block(_parsed(path, block, columns, first, labels))
                first += len(block)
        split = gathered.finish()
    except ArrayFileError as error:
        return RawSplit(faults={"images": error})
    except (OSError, EOFError, zlib.error) as error:
        return RawSplit(faults={"images": damaged(path, "a whole table", str(error) or type(error).__name__)})
    split.labels = labels
    return split


def read_range(path: Path, start: int, stop: int) -> Iterator[tuple[np.ndarray, list[Label]]]:
    """Yield images and labels of the lines of a plain table that begin at the bytes start..stop-1, block by block.

    Args:
        path: Of a table that `read_columns` knows.
        start, stop: Ranges that follow one another give each line once, wherever they are cut.

    Raises:
        ArrayFileError: A line is none of the table; its number counts from the range's first one.
    """
    columns = read_columns(path)
    if columns is None:
        raise damaged(path, "a table of a label and pixels", "another first line")
    with _opened(path) as stream:
        if start:
            stream.seek(start - 1)
            stream.readline(MAX_LINE_BYTES)  # the one that begins before
        elif columns.header:
            stream.readline(MAX_LINE_BYTES)
        lines, first = _lines_until(path, stream, stop), 1
        while block := list(islice(lines, BLOCK)):
            labels: list[Label] = []
            yield _parsed(path, block, columns, first, labels), labels
            first += len(block)


def _lines_until(path: Path, stream: BinaryIO, stop: int) -> Iterator[str]:
    while stream.tell() < stop and (line := stream.readline(MAX_LINE_BYTES)):
        if len(line) == MAX_LINE_BYTES:
            raise damaged(path, f"lines of at most {MAX_LINE_BYTES} bytes", "a longer one")
        if line.strip():
            yield _text(line)


def _parsed(path: Path, block: list[str], columns: Columns, first: int, labels: list[Label]) -> np.ndarray:
    """Return the pixels of a block of lines, and append its labels; `first` is the number of its first line."""
    rests = []
    for number, line in enumerate(block, first):
        before = line.split(",", columns.leading)
        *leading, rest = before
        rest, *trailing = rest.rsplit(",", columns.trailing) if columns.trailing else [rest]
        others = leading + trailing
        label = _bare(others[columns.label or 0]) if len(others) == columns.leading + columns.trailing else ""
        if not label:
            raise _bad_line(path, number, "a label and pixels", short(line))
        labels.append(label)
        rests.append(rest)
    try:
        values = _values(rests, columns)
    except ValueError:
        values = None
    if values is None:
        raise _first_bad_line(path, rests, columns, first)
    return values


def _values(rests: list[str], columns: Columns) -> np.ndarray | None:
    """Return uint8 (k, *shape), or None when a value is no whole number of 0..255."""
    values = np.loadtxt(rests, dtype=np.float32, delimiter=",", comments=None, quotechar='"', ndmin=2)
    if values.shape != (len(rests), math.prod(columns.shape)):
        return None
    if not np.isfinite(values).all() or values.min() < 0 or values.max() > 255 or (values != np.rint(values)).any():
        return None
    return cast(np.ndarray, values.astype(np.uint8).reshape(-1, *columns.shape))


def _first_bad_line(path: Path, rests: list[str], columns: Columns, first: int) -> ArrayFileError:
    expected = f"{math.prod(columns.shape)} whole numbers of 0..255"
    for number, rest in enumerate(rests, first):
        try:
            if _values([rest], columns) is None:
                return _bad_line(path, number, expected, f"{rest.count(',') + 1} values: {short(rest)}")
        except ValueError as error:
            return _bad_line(path, number, expected, short(str(error)))
    return _bad_line(path, first, expected, "lines that do not fit to each other")


def _bad_line(path: Path, number: int, expected: str, received: str) -> ArrayFileError:
    return ArrayFileError(f"{expected} in line {number} of {path.name}", received, "Correct or delete that line.")


def _lines(path: Path, stream: BinaryIO) -> Iterator[str]:
    read = 0
    while line := stream.readline(MAX_LINE_BYTES):
        read += len(line)
        if len(line) == MAX_LINE_BYTES:
            raise damaged(path, f"lines of at most {MAX_LINE_BYTES} bytes", "a longer one")
        if read > MAX_DECOMPRESSED_BYTES:
            raise damaged(path, f"at most {MAX_DECOMPRESSED_BYTES} bytes of text", "more")
        if line.strip():
            yield _text(line)


def _opened(path: Path) -> BinaryIO:
    if not path.is_file():
        raise ArrayFileError(f"a regular file {path.name}", "a folder or a device", "Put the table there.")
    if path.name.lower().endswith(".gz"):
        with path.open("rb") as raw:
            head = raw.read(512)
        if head[:2] != b"\x1f\x8b":
            raise damaged(path, "gzip data (first bytes 1f 8b)", kind_by_first_bytes(head))
        return cast(BinaryIO, gzip.open(path, "rb"))
    return path.open("rb")


def _text(line: bytes) -> str:
    return line.decode("utf-8-sig", errors="replace").strip("\r\n")


def _bare(cell: str) -> str:
    return cell.strip().strip('"').strip()


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
