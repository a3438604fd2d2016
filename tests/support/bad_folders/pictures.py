"""What can be wrong with class folders and CIFAR batches."""

from __future__ import annotations

import io
import pickle
import struct
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from tests.support.bad_folders.mutation import Change
from tests.support.image_files import png, write_classes

_GREY = np.zeros((28, 28), np.uint8)


def _odd_file(content: bytes, name: str, folder: Path) -> None:
    (folder / "train" / "3" / name).write_bytes(content)


def _gif() -> bytes:
    stream = io.BytesIO()
    frames = [Image.fromarray(_GREY), Image.fromarray(_GREY + 9)]
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    return stream.getvalue()


def _large_head() -> bytes:
    content = bytearray(png(_GREY))
    content[16:24] = struct.pack(">II", 60_000, 60_000)
    return bytes(content)


CLASSES: list[tuple[str, Change]] = [
    ("text named .png", partial(_odd_file, b"text", "odd.png")),
    ("an empty .png", partial(_odd_file, b"", "odd.png")),
    ("half a .png", partial(_odd_file, png(_GREY)[:50], "odd.png")),
    ("another size", partial(_odd_file, png(_GREY[:20]), "odd.png")),
    ("colour", partial(_odd_file, png(np.zeros((28, 28, 3), np.uint8)), "odd.png")),
    ("a JPEG named .png", partial(_odd_file, png(_GREY, "JPEG"), "odd.png")),
    ("a film", lambda folder: _odd_file(_gif(), "odd.gif", folder)),
    ("a head of 3.6 gigapixels", lambda folder: _odd_file(_large_head(), "odd.png", folder)),
    ("a text file", partial(_odd_file, b"text", "notes.txt")),
    ("a hidden file", partial(_odd_file, b"text", ".hidden.png")),
    ("a name with a line feed", partial(_odd_file, png(_GREY), "a\nb.png")),
    ("a link in a circle", lambda folder: (folder / "train/3/again").symlink_to("..")),
    ("a folder named .png", lambda folder: (folder / "train/3/odd.png").mkdir()),
    (
        "one class",
        lambda folder: [
            each.rename(folder / f"gone-{each.name}") for each in (folder / "train").iterdir() if each.name != "3"
        ],
    ),
    ("an empty class", lambda folder: (folder / "train/11").mkdir()),
    ("a class of test alone", lambda folder: (folder / "test/3").rename(folder / "test/eleven")),
    (
        "a class with a space",
        lambda folder: [(folder / split / "3").rename(folder / split / "a b") for split in ("train", "test")],
    ),
    ("no test", lambda folder: [path.unlink() for path in (folder / "test").rglob("*.png")]),
    ("a split named val and valid", lambda folder: [write_classes(folder / name, 20, 3) for name in ("val", "valid")]),
    ("pictures beside the classes", lambda folder: (folder / "train/odd.png").write_bytes(png(_GREY))),
    (
        "pictures and no classes",
        lambda folder: [path.rename(folder / path.name) for path in sorted((folder / "train").rglob("*.png"))],
    ),
    ("one picture", lambda folder: [path.unlink() for path in sorted(folder.rglob("*.png"))[1:]]),
]


def _batch(value: object, folder: Path) -> None:
    (folder / "data_batch_1").write_bytes(pickle.dumps(value, 2))


class Hostile:
    """Would run something when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("unpickled",)


_PIXELS = np.zeros((9, 3072), np.uint8)
CIFAR: list[tuple[str, Change]] = [
    *(
        (f"a batch of {name}", partial(_batch, value))
        for name, value in (
            ("nothing", None),
            ("a list", [1, 2]),
            ("no data", {"labels": [1] * 9}),
            ("no labels", {"data": _PIXELS}),
            ("short data", {"data": _PIXELS[:, :3071], "labels": [1] * 9}),
            ("few labels", {"data": _PIXELS, "labels": [1] * 8}),
            ("text as labels", {"data": _PIXELS, "labels": ["a"] * 9}),
            ("floats", {"data": _PIXELS / 2, "labels": [1] * 9}),
            ("one row", {"data": _PIXELS[0], "labels": [1]}),
            ("no rows", {"data": _PIXELS[:0], "labels": []}),
            ("labels below 0", {"data": _PIXELS, "labels": [-1] * 9}),
            ("labels of rank 2", {"data": _PIXELS, "labels": [[1]] * 9}),
            ("labels that are None", {"data": _PIXELS, "labels": None}),
            ("huge labels", {"data": _PIXELS, "labels": [2**70] * 9}),
            ("a number as data", {"data": 7, "labels": [1] * 9}),
            ("code", Hostile()),
            ("code inside", {"data": Hostile(), "labels": []}),
        )
    ),
    ("no test", lambda folder: (folder / "test_batch").unlink()),
    ("only test", lambda folder: (folder / "data_batch_1").unlink()),
]
