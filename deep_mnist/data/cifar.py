"""CIFAR-10 and CIFAR-100 as their authors publish them: pickles of Python 2, read by the restricted unpickler."""

from __future__ import annotations

import pickle
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deep_mnist.data.array_errors import ArrayFileError, damaged
from deep_mnist.data.digits_pickle import load_plain
from deep_mnist.data.raw import Gathered, Label, RawData, RawSplit, raw_data

MAX_BATCH_BYTES = 256 << 20  # CIFAR-100's train is 155,249,918 bytes
MAX_BATCHES = 100
LABELS = ("labels", "fine_labels")
NAMES = ("label_names", "fine_label_names")
FIX = "Unpack cifar-10-python.tar.gz (or cifar-100-python.tar.gz) again."
Batches = dict[str, list[Path]]


def find_batches(folder: Path) -> Batches:
    """Return split -> batch files of CIFAR-10 (data_batch_1 …) or CIFAR-100 (train, test), {} without any."""
    for place in (folder, folder / "cifar-10-batches-py", folder / "cifar-100-python"):
        tens = sorted(place.glob("data_batch_*"))[:MAX_BATCHES]
        if tens:
            test = place / "test_batch"
            return {"train": tens, **({"test": [test]} if test.is_file() else {})}
        if (place / "meta").is_file() and (place / "train").is_file():
            return {name: [place / name] for name in ("train", "test") if (place / name).is_file()}
    return {}


def read_batches(batches: Batches) -> RawData:
    """Return the images uint8 (n, 32, 32, 3), and the class names of the meta file beside them.

    Args:
        batches: What `find_batches` returned.
    """
    place = batches["train"][0].parent
    try:
        names = _class_names(place)
    except ArrayFileError:
        names = ()  # names are a comfort; the labels are numbers
    return raw_data({name: _read_split(paths) for name, paths in batches.items()}, names)


def _read_split(paths: Sequence[Path]) -> RawSplit:
    gathered = Gathered()
    labels: list[Label] = []
    try:
        for path in paths:
            images, its_labels = _read_batch(path)
            gathered.add_block(images)
            labels.extend(its_labels)
    except ArrayFileError as error:
        return RawSplit(faults={"images": error})
    split = gathered.finish()
    split.labels = labels
    return split


def _read_batch(path: Path) -> tuple[np.ndarray, list[int]]:
    batch = _unpickled(path)
    data = batch.get("data")
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != 3072:
        form = f"{data.dtype} {data.shape}" if isinstance(data, np.ndarray) else type(data).__name__
        raise ArrayFileError(f"data uint8 (n, 3072) in {path.name}", form, FIX)
    labels = next((batch[name] for name in LABELS if name in batch), None)
    whole = isinstance(labels, list) and all(type(label) is int and abs(label) < 1 << 31 for label in labels)
    if not whole or len(labels or ()) != len(data):
        raise ArrayFileError(f"{len(data)} whole labels in {path.name}", type(labels).__name__, FIX)
    return data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), list(labels or ())


def _class_names(place: Path) -> tuple[str, ...]:
    path = next((place / name for name in ("batches.meta", "meta") if (place / name).is_file()), None)
    meta = _unpickled(path) if path else {}
    names = next((meta[name] for name in NAMES if name in meta), ())
    valid = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return tuple(names) if valid else ()


def _unpickled(path: Path) -> Mapping[str, Any]:
    """Return the dict in a pickle that can make nothing but plain values and numpy arrays."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BATCH_BYTES:
            raise damaged(path, f"a file of at most {MAX_BATCH_BYTES} bytes", f"{status.st_size} bytes")
        loaded = load_plain(path.read_bytes())
    except ArrayFileError:
        raise
    except pickle.UnpicklingError as error:
        raise damaged(path, "a CIFAR batch", f"{error}") from error
    except Exception as error:  # a damaged pickle fails in every way; each means that there is no batch
        raise damaged(path, "a CIFAR batch", f"{type(error).__name__}: {error}"[:200]) from error
    if not isinstance(loaded, dict):
        raise damaged(path, "a CIFAR batch, a pickled dict", type(loaded).__name__)
    return loaded
