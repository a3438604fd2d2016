"""Shards are read whole, one at a time, and are not used before their SHA-256 is checked.

Memory is that of a few shards. What is read next is fetched in the background meanwhile.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

import numpy as np

from deep_mnist.data.dataset import DatasetError
from deep_mnist.data.shards.shard_set import Shard, ShardSet
from deep_mnist.storage.store import NotFoundError, Store

T = TypeVar("T")
R = TypeVar("R")
AHEAD = 1  # shards fetched while one is used


class DamagedShardError(DatasetError):
    """A shard that is not what the manifest says."""

    fix = "write that shard again: rerun preprocess, which keeps the sound ones"


def read_shard(store: Store, shard: Shard, record: np.dtype[Any]) -> np.ndarray:
    """Return a shard's examples, records (count,) of `record`, read-only.

    Raises:
        DamagedShardError: It is missing, of another size, altered, or of another form; the message names it.
    """
    name = f"{store.url}/{shard.name}"
    try:
        data, _ = store.read(shard.name)
    except NotFoundError as error:
        raise DamagedShardError(f"Expected the shard {name}. Received: no such object.") from error
    if len(data) != shard.bytes:
        raise DamagedShardError(f"Expected the shard {name} of {shard.bytes} bytes. Received: {len(data)}.")
    received = hashlib.sha256(data).hexdigest()
    if received != shard.sha256:
        raise DamagedShardError(f"Expected the shard {name} with SHA-256 {shard.sha256}. Received: {received}.")
    return _parsed(data, shard, record, name)


def _parsed(data: bytes, shard: Shard, record: np.dtype[Any], name: str) -> np.ndarray:
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)  # type: ignore[no-untyped-call]
        read_header = np.lib.format.read_array_header_2_0 if version[0] > 1 else np.lib.format.read_array_header_1_0
        shape, fortran, dtype = read_header(stream)  # type: ignore[no-untyped-call]
    except ValueError as error:
        raise DamagedShardError(f"Expected the shard {name} as .npy. Received: {error}.") from error
    if (shape, fortran, dtype) != ((shard.count,), False, record):
        raise DamagedShardError(
            f"Expected the shard {name} with {shard.count} records {record.descr}. Received: {shape} of {dtype}."
        )
    return np.frombuffer(data, record, count=shard.count, offset=stream.tell())


def ahead(work: Callable[[T], R], items: Iterable[T], most: int = AHEAD) -> Iterator[R]:
    """Yield work(item) for each item in order, up to `most` of them computed in the background meanwhile.

    >>> list(ahead(lambda number: number + 1, range(3)))
    [1, 2, 3]
    """
    waiting = iter(items)
    with ThreadPoolExecutor(max_workers=most) as pool:
        coming: list[Future[R]] = [pool.submit(work, item) for item in islice(waiting, most)]
        try:
            while coming:
                present = coming.pop(0).result()
                coming += [pool.submit(work, item) for item in islice(waiting, 1)]
                yield present
        finally:
            for each in coming:
                each.cancel()


def examples(shards: ShardSet, split: str) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (index of its first example, records) for each shard of a split, verified, the next one fetched ahead."""
    store, listed = shards.store(), shards.splits.get(split, ())
    start = 0
    for shard, records in zip(
        listed, ahead(lambda shard: read_shard(store, shard, shards.record), listed), strict=True
    ):
        yield start, records
        start += shard.count


def rows_at(shards: ShardSet, split: str, indices: np.ndarray) -> np.ndarray:
    """Return the records at some indices of a split, in their order; each shard that has some is read once."""
    store, found = shards.store(), np.empty(len(indices), shards.record)
    ends = np.cumsum([shard.count for shard in shards.splits[split]])
    owner = np.searchsorted(ends, indices, side="right")
    for number in np.unique(owner):
        shard = shards.splits[split][number]
        mine = np.flatnonzero(owner == number)
        found[mine] = read_shard(store, shard, shards.record)[indices[mine] - (ends[number] - shard.count)]
    return found
