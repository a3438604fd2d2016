"""What can be wrong with a folder of `.npy` files."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from tests.support.bad_folders.mutation import Change, exchange


def _array(name: str, change: Callable[[np.ndarray], object], folder: Path) -> None:
    """Rewrite one array of the folder."""
    path = folder / f"{name}.npy"
    np.save(path, np.asarray(change(np.load(path))))


def _images(change: Callable[[np.ndarray], object]) -> Change:
    return partial(_array, "train_images", change)


def _all_images(change: Callable[[np.ndarray], object]) -> Change:
    return lambda folder: [_array(f"{split}_images", change, folder) for split in ("train", "test")]


def _labels(change: Callable[[np.ndarray], object]) -> Change:
    return partial(_array, "train_labels", change)


def _all_labels(change: Callable[[np.ndarray], object]) -> Change:
    return lambda folder: [_array(f"{split}_labels", change, folder) for split in ("train", "test")]


def _with(value: float, at: int = 3) -> Callable[[np.ndarray], np.ndarray]:
    def changed(array: np.ndarray) -> np.ndarray:
        floats = array.astype(np.float64)
        floats.reshape(-1)[at] = value
        return floats

    return changed


def _objects(folder: Path) -> None:
    np.save(folder / "train_images.npy", np.array([{"a": 1}, None], object), allow_pickle=True)


def _text(name: str, text: str | bytes, folder: Path) -> None:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())


def _head(text: str, folder: Path) -> None:
    """Write a train_images.npy whose header says something else."""
    padded = text + " " * (63 - (len(text) + 10) % 64) + "\n"
    head = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded.encode("latin1")
    (folder / "train_images.npy").write_bytes(head + b"\0" * 784)


_DTYPES = (
    "float64",
    "float32",
    "float16",
    "int8",
    "int16",
    "int64",
    "uint16",
    "uint64",
    "bool",
    "complex64",
    ">i4",
    "S1",
    "U1",
    "datetime64[s]",
    "timedelta64[s]",
)
ARRAYS: list[tuple[str, Change]] = [
    *((f"images {each}", _all_images(lambda a, t=each: a.astype(t))) for each in _DTYPES),
    *((f"train images {each}", _images(lambda a, t=each: a.astype(t))) for each in ("float32", "int64", "bool")),
    *((f"labels {each}", _all_labels(lambda a, t=each: a.astype(t))) for each in _DTYPES),
    *(
        (f"images of rank {rank}", _all_images(lambda a, s=shape: a.reshape(s)))
        for rank, shape in ((1, -1), (2, (-1, 784)), (4, (-1, 28, 28, 1)), (5, (-1, 28, 28, 1, 1)))
    ),
    ("images first channel", _all_images(lambda a: a[:, None])),
    ("images of 3 channels", _all_images(lambda a: np.repeat(a[..., None], 3, 3))),
    ("images of 2 channels", _all_images(lambda a: np.repeat(a[..., None], 2, 3))),
    ("one image without a batch", _images(lambda a: a[0])),
    ("a scalar", _images(lambda _: 7)),
    ("a scalar as labels", _labels(lambda _: 7)),
    ("no examples", lambda folder: (_images(lambda a: a[:0])(folder), _labels(lambda a: a[:0])(folder))),
    (
        "no test examples",
        lambda folder: [_array(f"test_{part}", lambda a: a[:0], folder) for part in ("images", "labels")],
    ),
    ("one example", lambda folder: (_images(lambda a: a[:1])(folder), _labels(lambda a: a[:1])(folder))),
    ("two examples", lambda folder: (_images(lambda a: a[:2])(folder), _labels(lambda a: a[:2])(folder))),
    (
        "one test example",
        lambda folder: [_array(f"test_{part}", lambda a: a[:1], folder) for part in ("images", "labels")],
    ),
    ("no columns", _all_images(lambda a: a[:, :, :0])),
    ("no rows", _images(lambda a: a[:, :0])),
    ("one pixel", _all_images(lambda a: a[:, :1, :1])),
    ("other size in test", partial(_array, "test_images", lambda a: a[:, :20])),
    ("other rank in test", partial(_array, "test_images", lambda a: a[..., None])),
    ("other type in test", partial(_array, "test_images", lambda a: a / 255)),
    ("as many pixels in another shape", partial(_array, "test_images", lambda a: a.reshape(-1, 14, 56))),
    ("Fortran order", _all_images(lambda a: np.asfortranarray(a))),
    ("NaN", _images(_with(np.nan))),
    ("infinity", _images(_with(np.inf))),
    ("a huge number", _images(_with(1e300))),
    ("a negative pixel", _images(_with(-1))),
    ("all NaN", _images(lambda a: np.full(a.shape, np.nan))),
    ("constant images", _all_images(np.zeros_like)),
    ("a NaN label", _labels(_with(np.nan))),
    ("an infinite label", _labels(_with(np.inf))),
    ("a fraction as a label", _labels(_with(2.5))),
    ("a negative label", _labels(lambda a: np.where(np.arange(len(a)) == 3, -1, a.astype(int)))),
    ("a label of 10", _labels(lambda a: np.where(np.arange(len(a)) == 3, 10, a))),
    ("a huge label", _labels(lambda a: np.where(np.arange(len(a)) == 3, 2**62, a.astype(np.int64)))),
    ("the largest label", _labels(lambda a: np.where(np.arange(len(a)) == 3, 2**64 - 1, a.astype(np.uint64)))),
    ("the smallest label", _labels(lambda a: np.where(np.arange(len(a)) == 3, -(2**63), a.astype(np.int64)))),
    ("labels from 1", _all_labels(lambda a: a + 1)),
    ("one class", _all_labels(np.zeros_like)),
    ("each label another class", _labels(lambda a: np.arange(len(a)))),
    ("one-hot labels", _all_labels(lambda a: np.eye(10)[a])),
    ("labels of rank 2", _all_labels(lambda a: a[:, None])),
    ("labels of rank 3", _all_labels(lambda a: a[:, None, None])),
    ("labels one short", _labels(lambda a: a[:-1])),
    ("labels one more", _labels(lambda a: np.append(a, 0))),
    ("no labels in the file", _labels(lambda a: a[:0])),
    ("Python objects", _objects),
    ("a pickle", partial(_text, "train_images.npy", pickle.dumps([1, 2, 3]))),
    ("a structured type", _labels(lambda a: np.zeros(len(a), [("a", int), ("b", float)]))),
    ("a sub-array type", partial(_head, "{'descr': ('|u1', (2, 2)), 'fortran_order': False, 'shape': (4,), }")),
    *(
        (f"a header of {shape}", partial(_head, f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}"))
        for shape in (
            "(-1, 28, 28)",
            "(10**20, 28, 28)",
            "(1.5, 28)",
            "('a',)",
            "28",
            "(True, 784)",
            "()",
            "(2**40, 2**40)",
            "(0, 28, 28)",
            "((1,),)",
            "[1, 784]",
            "(1, 28, 28,) + (1,)",
        )
    ),
    *(
        (
            f"a header of type {kind}",
            partial(_head, f"{{'descr': {kind}, 'fortran_order': False, 'shape': (1, 28, 28), }}"),
        )
        for kind in ("'|O'", "'|V0'", "'<f3'", "'|u1,|u1'", "7", "None", "[('a', '|O')]", "'é'", "'|S0'", "'<U0'")
    ),
    ("a header that is code", partial(_head, "__import__('os').system('true')")),
    ("a header without a shape", partial(_head, "{'descr': '|u1', 'fortran_order': False}")),
    ("a deep header", partial(_head, "(" * 300 + ")" * 300)),
    ("a long header", partial(_head, "{'descr': '|u1', 'fortran_order': False, 'shape': (1,) }" + " " * 40000)),
    ("train images missing", lambda folder: (folder / "train_images.npy").unlink()),
    ("train labels missing", lambda folder: (folder / "train_labels.npy").unlink()),
    ("test images missing", lambda folder: (folder / "test_images.npy").unlink()),
    ("test labels missing", lambda folder: (folder / "test_labels.npy").unlink()),
    ("test missing", lambda folder: [(folder / f"test_{part}.npy").unlink() for part in ("images", "labels")]),
    ("only test", lambda folder: [(folder / f"train_{part}.npy").unlink() for part in ("images", "labels")]),
    ("images and labels exchanged", lambda folder: exchange(folder / "train_images.npy", folder / "train_labels.npy")),
    ("train is test", lambda folder: _copy_over(folder, "train", "test")),
    ("two names for one slot", lambda folder: _text("x_train.npy", (folder / "train_images.npy").read_bytes(), folder)),
    ("a faults.json of somebody", partial(_text, "faults.json", '{"train": {"images": {"expected": "x"}}}')),
    ("a manifest of somebody", partial(_text, "manifest.json", '{"format": 1, "files": {"../x": {}}}')),
]


def _copy_over(folder: Path, source: str, target: str) -> None:
    for part in ("images", "labels"):
        (folder / f"{target}_{part}.npy").write_bytes((folder / f"{source}_{part}.npy").read_bytes())
