"""Image folders, tables and Parquet become raw shards: in one pass, by several processes, begun where it stopped."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from deep_mnist.data.array_errors import ArrayFileError
from deep_mnist.data.dataset import SHARDS_FILE
from deep_mnist.data.raw import ImageSourceError
from deep_mnist.data.shards.shard_set import SHARD_BYTES, Shard, ShardSet
from deep_mnist.data.shards.units import Unit, units_of
from deep_mnist.data.shards.writing import write_shard
from deep_mnist.storage.open import open_store
from deep_mnist.storage.store import NotFoundError, Store

NOTES = "progress"
Form = tuple[tuple[int, ...], str]


class Refusal(NamedTuple):
    """Why a unit cannot be read, in the words of an ArrayFileError."""

    expected: str
    received: str
    fix: str


def shard_files(
    source: Path, address: str, *, shard_bytes: int = SHARD_BYTES, seed: int = 0, workers: int = 0
) -> ShardSet:
    """Write what lies at a path as shards to a store and return the set, whose manifest lies there too.

    A second call with the same arguments goes on where the first one stopped, and reads no unit again that was done.

    Args:
        source: A folder of class folders, tables or Parquet files, or one such file.
        address: Of the store: gs://…, s3://… or a folder. Another set there is written over.
        shard_bytes: Most bytes of a shard's examples.
        seed: Of the order of image files.
        workers: Processes; 0 for one a core.

    Raises:
        ArrayFileError: The source is nothing known, or an example cannot be read; the message names it.
    """
    store = open_store(address)
    splits, names = units_of(source, shard_bytes, seed)
    made_of = f"{source.absolute()} {shard_bytes} {seed} {_state_of(source)}"
    key = f"{NOTES}-{hashlib.sha256(made_of.encode()).hexdigest()[:12]}"
    work = partial(_unit, address=address, key=key, shard_bytes=shard_bytes)
    items = [(split, number, unit) for split, units in splits.items() for number, unit in enumerate(units)]
    found: dict[str, list[Shard]] = {split: [] for split in splits}
    forms: set[Form] = set()
    # Not forked: the caller may have threads.
    with ProcessPoolExecutor(workers or os.cpu_count() or 1, mp_context=multiprocessing.get_context("spawn")) as pool:
        for (split, _, _), done in zip(items, pool.map(work, items), strict=True):
            if isinstance(done, Refusal):
                pool.shutdown(cancel_futures=True)
                raise ArrayFileError(*done)
            found[split] += done[0]
            forms.update(done[1])
    shape, dtype = _one_form(forms)
    listed = {split: tuple(shards) for split, shards in found.items()}
    made = ShardSet(".", shape, dtype, (), "<i8", listed, address, names)
    store.write(SHARDS_FILE, made.to_json().encode())
    for each in store.list(f"{key}/"):
        store.delete(each)
    return made


def _one_form(forms: set[Form]) -> Form:
    if len(forms) != 1:
        shapes = " and ".join(sorted(str(shape) for shape, _ in forms)) or "no image"
        raise ImageSourceError("images of one size and mode", shapes, "Resize or convert them with Pillow.")
    return next(iter(forms))


def _state_of(source: Path) -> str:
    """Return what changes when the source does: sizes and times of its files, of a folder's own at the top."""
    files = sorted(source.iterdir()) if source.is_dir() else [source]
    return " ".join(f"{path.name}:{path.stat().st_size}:{path.stat().st_mtime_ns}" for path in files)


def _unit(
    item: tuple[str, int, Unit], *, address: str, key: str, shard_bytes: int
) -> tuple[list[Shard], list[Form]] | Refusal:
    """Write the shards of one unit, or find that they are there; return them, and the forms of their images."""
    split, number, unit = item
    store, note = open_store(address), f"{key}/{split}-{number:05d}.json"
    try:
        stated = json.loads(store.read(note)[0])
        return [Shard(**each) for each in stated["shards"]], [(tuple(s), d) for s, d in stated["forms"]]
    except NotFoundError:
        pass
    try:
        shards, forms = _written(split, number, unit, store, shard_bytes)
    except ArrayFileError as error:  # such an error does not come through from another process as it is
        return Refusal(error.expected, error.received, error.fix)
    stated = {"shards": [asdict(shard) for shard in shards], "forms": forms}
    store.write(note, json.dumps(stated).encode())
    return shards, forms


def _written(split: str, number: int, unit: Unit, store: Store, shard_bytes: int) -> tuple[list[Shard], list[Form]]:
    shards: list[Shard] = []
    forms: set[Form] = set()
    for piece, (images, labels) in enumerate(_pieces(unit, shard_bytes)):
        name = f"{split}-{number:05d}{f'-{piece}' if piece else ''}.npy"
        shards.append(write_shard(store, name, images, labels))
        forms.add((images.shape[1:], images.dtype.str))
    return shards, sorted(forms)


def _pieces(unit: Unit, shard_bytes: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield a unit's images and labels in shards of at most so many bytes."""
    images: list[np.ndarray] = []
    labels: list[int] = []
    for some, their in unit.examples():
        for image, label in zip(some, their, strict=True):
            if images and image.shape != images[0].shape:
                _one_form({(each.shape, "") for each in (images[0], image)})
            images.append(image)
            labels.append(label)
            if len(images) >= max(1, shard_bytes // (image.nbytes + 8)):
                yield np.stack(images), np.array(labels, np.int64)
                images, labels = [], []
    if images:
        yield np.stack(images), np.array(labels, np.int64)
