"""What can be wrong with IDX files, packed ones, and an `.npz`."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
from functools import partial
from pathlib import Path

import numpy as np

from tests.support.bad_folders.mutation import TRAIN, Change, exchange
from tests.support.digits import idx_bytes


def _idx(name: str, content: bytes, folder: Path) -> None:
    (folder / name).write_bytes(content)


IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
_DIGITS = idx_bytes(np.zeros((TRAIN, 28, 28), np.uint8))
IDX: list[tuple[str, Change]] = [
    *(
        (f"a magic of {magic.hex()}", partial(_idx, IMAGES, magic + _DIGITS[4:]))
        for magic in (
            b"\0\0\x09\x03",
            b"\0\0\x0d\x03",
            b"\0\0\x0e\x03",
            b"\0\0\x08\x01",
            b"\0\0\x08\x00",
            b"\0\0\x08\xff",
            b"\0\0\x07\x03",
            b"\x03\x08\0\0",
            b"\x01\0\x08\x03",
        )
    ),
    *(
        (f"sizes of {sizes}", partial(_idx, IMAGES, b"\0\0\x08\x03" + struct.pack(">3I", *sizes) + _DIGITS[16:]))
        for sizes in (
            (0, 28, 28),
            (60, 0, 28),
            (2**32 - 1, 28, 28),
            (60, 2**31, 2**31),
            (61, 28, 28),
            (59, 28, 28),
            (60, 784, 1),
            (1, 60, 784),
            (60, 28, 27),
        )
    ),
    ("a head and no more", partial(_idx, IMAGES, _DIGITS[:16])),
    ("half a head", partial(_idx, IMAGES, _DIGITS[:7])),
    ("labels as images", lambda folder: exchange(folder / IMAGES, folder / LABELS)),
    ("labels of rank 3", partial(_idx, LABELS, _DIGITS)),
    ("images missing", lambda folder: (folder / IMAGES).unlink()),
]
GZIP: list[tuple[str, Change]] = [
    ("not packed", lambda folder: _idx(f"{IMAGES}.gz", _DIGITS, folder)),
    ("a wrong checksum", lambda folder: _idx(f"{IMAGES}.gz", gzip.compress(_DIGITS)[:-8] + b"\0" * 8, folder)),
    ("no end", lambda folder: _idx(f"{IMAGES}.gz", gzip.compress(_DIGITS)[:-12], folder)),
    ("a bomb", lambda folder: _idx(f"{IMAGES}.gz", gzip.compress(_DIGITS[:16] + b"\0" * (64 << 20), 1), folder)),
    ("a promise of much", lambda folder: _idx(f"{IMAGES}.gz", gzip.compress(b"\0\0\x08\x03" + b"\xff" * 12), folder)),
    (
        "two members",
        lambda folder: _idx(f"{IMAGES}.gz", gzip.compress(_DIGITS[:99]) + gzip.compress(_DIGITS[99:]), folder),
    ),
    ("nothing packed", lambda folder: _idx(f"{IMAGES}.gz", gzip.compress(b""), folder)),
    ("rubbish behind", lambda folder: _idx(f"{IMAGES}.gz", gzip.compress(_DIGITS) + b"rubbish", folder)),
]


def _member(name: str, content: bytes, folder: Path) -> None:
    """Put something else in the place of one member."""
    path = folder / "digits.npz"
    with zipfile.ZipFile(path) as archive:
        members = {each: archive.read(each) for each in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for each, data in {**members, name: content}.items():
            archive.writestr(each, data)


def _saved(array: object, *, pickled: bool = False) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.asarray(array), allow_pickle=pickled)
    return stream.getvalue()


NPZ: list[tuple[str, Change]] = [
    ("a member of text", partial(_member, "x_train.npy", b"text")),
    ("an empty member", partial(_member, "x_train.npy", b"")),
    ("objects", lambda folder: _member("x_train.npy", _saved(np.array([None, 1], object), pickled=True), folder)),
    ("a scalar", lambda folder: _member("y_train.npy", _saved(3), folder)),
    ("labels as text", lambda folder: _member("y_train.npy", _saved(np.array(["a"] * TRAIN)), folder)),
    ("labels as bytes", lambda folder: _member("y_train.npy", _saved(np.array([b"a"] * TRAIN)), folder)),
    ("another name", lambda folder: np.savez(folder / "digits.npz", a=np.zeros(3))),
    ("a path that leads out", partial(_member, "../../x_train.npy", b"text")),
    ("no members", lambda folder: zipfile.ZipFile(folder / "digits.npz", "w").close()),
    (
        "a member too long",
        lambda folder: _member("x_train.npy", _saved(np.zeros((TRAIN, 28, 28), np.uint8)) + b"more", folder),
    ),
    ("two archives", lambda folder: (folder / "more.npz").write_bytes((folder / "digits.npz").read_bytes())),
    ("only labels", lambda folder: np.savez(folder / "digits.npz", y_train=np.zeros(3, int))),
]
