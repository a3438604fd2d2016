"""What can be wrong with tables: CSV and Parquet."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from tests.support.bad_folders.mutation import TRAIN, Change
from tests.support.digits import draw_digits
from tests.support.image_files import png, write_shard


def _lines(change: Callable[[list[str]], list[str]], folder: Path) -> None:
    path = folder / "train.csv"
    path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")


def _cell(text: str, row: int = 3, column: int = 5) -> Change:
    def changed(lines: list[str]) -> list[str]:
        cells = lines[row].split(",")
        cells[column] = text
        lines[row] = ",".join(cells)
        return lines

    return partial(_lines, changed)


CSV: list[tuple[str, Change]] = [
    *(
        (f"a pixel of {text!r}", _cell(text))
        for text in (
            "",
            " ",
            "x",
            "-1",
            "256",
            "1e9",
            "nan",
            "inf",
            "0.5",
            "1,2",
            '"',
            "0x10",
            "１",
            "9" * 400,
            "1_0",
            "\0",
        )
    ),
    *(
        (f"a label of {text!r}", _cell(text, column=0))
        for text in ("", "x", "-1", "10", "1e3", "nan", "2.5", "9" * 30, "-0", '"seven, or so"', "七")
    ),
    ("no head", partial(_lines, lambda lines: lines[1:])),
    ("only a head", partial(_lines, lambda lines: lines[:1])),
    ("one row", partial(_lines, lambda lines: lines[:2])),
    ("two heads", partial(_lines, lambda lines: lines[:1] + lines)),
    ("a short row", partial(_lines, lambda lines: [*lines[:3], lines[3][:100], *lines[4:]])),
    ("a long row", partial(_lines, lambda lines: [*lines[:3], lines[3] + ",1,2", *lines[4:]])),
    ("empty rows", partial(_lines, lambda lines: [*lines[:3], "", "", *lines[3:]])),
    ("semicolons", partial(_lines, lambda lines: [each.replace(",", ";") for each in lines])),
    ("tabs", partial(_lines, lambda lines: [each.replace(",", "\t") for each in lines])),
    ("no square", partial(_lines, lambda lines: [each.rpartition(",")[0] for each in lines])),
    ("one column", partial(_lines, lambda lines: [each.partition(",")[0] for each in lines])),
    (
        "label last",
        partial(_lines, lambda lines: [",".join(each.split(",")[1:] + each.split(",")[:1]) for each in lines]),
    ),
    ("no label", partial(_lines, lambda lines: [each.partition(",")[2] for each in lines])),
    ("the same name twice", partial(_lines, lambda lines: [lines[0].replace("pixel1,", "pixel0,"), *lines[1:]])),
    (
        "pixels in another order",
        partial(_lines, lambda lines: [",".join(["label", *reversed(lines[0].split(",")[1:])]), *lines[1:]]),
    ),
    ("an index column", partial(_lines, lambda lines: [f"{number}," + each for number, each in enumerate(lines)])),
    ("an open quotation mark", partial(_lines, lambda lines: [*lines[:3], '"' + lines[3], *lines[4:]])),
    (
        "a byte order mark",
        lambda folder: (folder / "train.csv").write_bytes(b"\xef\xbb\xbf" + (folder / "train.csv").read_bytes()),
    ),
    ("UTF-16", lambda folder: (folder / "train.csv").write_bytes((folder / "train.csv").read_text().encode("utf-16"))),
    (
        "Latin-1",
        partial(_lines, lambda lines: lines)
        and (lambda folder: (folder / "train.csv").write_bytes(b"\xe9" + (folder / "train.csv").read_bytes())),
    ),
    (
        "Windows line ends",
        lambda folder: (folder / "train.csv").write_bytes((folder / "train.csv").read_bytes().replace(b"\n", b"\r\n")),
    ),
    (
        "old Mac line ends",
        lambda folder: (folder / "train.csv").write_bytes((folder / "train.csv").read_bytes().replace(b"\n", b"\r")),
    ),
    ("one line without end", lambda folder: (folder / "train.csv").write_bytes(b"1," * (3 << 20))),
    (
        "test of another size",
        lambda folder: (folder / "test.csv").write_text("label,pixel0,pixel1,pixel2,pixel3\n1,2,3,4,5\n"),
    ),
    ("no test", lambda folder: (folder / "test.csv").unlink()),
    ("no train", lambda folder: (folder / "train.csv").unlink()),
    ("three tables", lambda folder: (folder / "other.csv").write_text((folder / "train.csv").read_text())),
    ("class names", partial(_lines, lambda lines: [lines[0], *(f"cat{each}" for each in lines[1:])])),
    ("names in train, numbers in test", partial(_lines, lambda lines: [lines[0], *(f"n{each}" for each in lines[1:])])),
]


def _parquet(columns: Callable[[], dict[str, object]], folder: Path) -> None:
    from arro3.core import Table
    from arro3.io import write_parquet

    write_parquet(Table.from_pydict(columns()), folder / "train-0.parquet")


def _column(values: list[object], kind: str) -> object:
    from arro3.core import Array, DataType

    return Array(values, getattr(DataType, kind)())


def _contents(change: Callable[[list[bytes]], list[bytes | None]], folder: Path) -> None:
    images, labels = draw_digits(TRAIN, 0)
    write_shard(folder / "train-0.parquet", change([png(image) for image in images]), labels.tolist())


def _odd(content: bytes | None) -> Change:
    return partial(_contents, lambda files: [*files[:3], content, *files[4:]])


_GREY = np.zeros((28, 28), np.uint8)
PARQUET: list[tuple[str, Change]] = [
    ("an image that is none", _odd(b"not an image")),
    ("an image without bytes", _odd(None)),
    ("an empty image", _odd(b"")),
    ("half an image", _odd(png(_GREY)[:40])),
    ("an image of another size", _odd(png(_GREY[:20]))),
    ("an image in colour", _odd(png(np.zeros((28, 28, 3), np.uint8)))),
    ("an image with alpha", _odd(png(np.zeros((28, 28, 4), np.uint8)))),
    ("a web page", _odd(b"<html></html>")),
    (
        "every image another size",
        partial(_contents, lambda files: [png(np.zeros((9 + n, 9), np.uint8)) for n in range(len(files))]),
    ),
    ("no rows", lambda folder: write_shard(folder / "train-0.parquet", [], [])),
    ("one row", lambda folder: write_shard(folder / "train-0.parquet", [png(_GREY)], [1])),
    ("a negative label", lambda folder: write_shard(folder / "train-0.parquet", [png(_GREY)] * 9, [-1] * 9)),
    ("a huge label", lambda folder: write_shard(folder / "train-0.parquet", [png(_GREY)] * 9, [2**62] * 9)),
    ("no label column", partial(_parquet, lambda: {"image": _column([png(_GREY)] * 9, "binary")})),
    ("no image column", partial(_parquet, lambda: {"label": _column([1] * 9, "int64")})),
    (
        "no label in a row",
        partial(
            _parquet,
            lambda: {"image": _column([png(_GREY)] * 9, "binary"), "label": _column([1] * 8 + [None], "int64")},
        ),
    ),
    (
        "labels as text",
        partial(
            _parquet, lambda: {"image": _column([png(_GREY)] * 9, "binary"), "label": _column(["a"] * 9, "string")}
        ),
    ),
    (
        "labels as floats",
        partial(
            _parquet, lambda: {"image": _column([png(_GREY)] * 9, "binary"), "label": _column([1.5] * 9, "float64")}
        ),
    ),
    (
        "labels that are NaN",
        partial(
            _parquet,
            lambda: {"image": _column([png(_GREY)] * 9, "binary"), "label": _column([float("nan")] * 9, "float64")},
        ),
    ),
    (
        "labels true and false",
        partial(_parquet, lambda: {"image": _column([png(_GREY)] * 9, "binary"), "label": _column([True] * 9, "bool")}),
    ),
    (
        "images as text",
        partial(_parquet, lambda: {"image": _column(["a"] * 9, "string"), "label": _column([1] * 9, "int64")}),
    ),
    (
        "two image columns",
        partial(
            _parquet,
            lambda: {
                "image": _column([png(_GREY)] * 9, "binary"),
                "mask": _column([b""] * 9, "binary"),
                "label": _column([1] * 9, "int64"),
            },
        ),
    ),
    ("no test", lambda folder: (folder / "test-0.parquet").unlink()),
    (
        "in two folders",
        lambda folder: [
            (folder / "a").mkdir(),
            (folder / "b").mkdir(),
            (folder / "train-0.parquet").rename(folder / "a/train-0.parquet"),
            (folder / "test-0.parquet").rename(folder / "b/test-0.parquet"),
        ],
    ),
]
