"""Shards are read whole, and not used before their SHA-256 is checked; or, of any size, block by block.

Memory is that of a few shards or blocks. What is read next is fetched in the background meanwhile.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice, repeat
from typing import Any, TypeVar

import numpy as np

from deep_mnist.data.dataset import DatasetError
from deep_mnist.data.shards.shard_set import Shard, ShardSet
from deep_mnist.storage.store import NotFoundError, Store

T = TypeVar("T")
R = TypeVar("R")
AHEAD = 1  # fetched while one is used
BLOCK_BYTES = 8 << 20  # read at once of a shard that is larger, where the order of its examples does not matter


class DamagedShardError(DatasetError):
    """A shard that is not what the manifest says."""

    fix = "write that shard again: rerun preprocess, which keeps the sound ones"


def read_shard(store: Store, shard: Shard, record: np.dtype[Any]) -> np.ndarray:
    """Return a shard's examples, records (count,) of `record`, read-only.

    Raises:
        DamagedShardError: It is missing, of another size, altered, or of another form; the message names it.
    """
    name = f"{store.url}/{shard.name}"
    with _present(name):
        data, _ = store.read(shard.name)
    _require_size(shard, len(data), name)
    _require_sha256(shard, hashlib.sha256(data).hexdigest(), name)
    return np.frombuffer(data, record, count=shard.count, offset=_header(data, shard, record, name))


def shard_blocks(store: Store, shard: Shard, record: np.dtype[Any], size: int = BLOCK_BYTES) -> Iterator[np.ndarray]:
    """Yield a shard's examples in order, in arrays of about `size` bytes; all are sound if it ends without an error.

    Raises:
        DamagedShardError: As `read_shard`; of altered bytes, after the last array.
    """
    if shard.bytes <= size:
        yield read_shard(store, shard, record)
        return
    name, digest, rest = f"{store.url}/{shard.name}", hashlib.sha256(), b""
    with _present(name):
        _require_size(shard, int(store.describe(shard.name)["size"]), name)
    for start in range(0, shard.bytes, size):
        with _present(name):
            data = store.read_range(shard.name, start, size)
        digest.update(data)
        rest = rest + data if start else data[_header(data, shard, record, name) :]
        count = len(rest) // record.itemsize
        yield np.frombuffer(rest, record, count=count)
        rest = rest[count * record.itemsize :]
    _require_sha256(shard, digest.hexdigest(), name)


@contextmanager
def _present(name: str) -> Iterator[None]:
    try:
        yield
    except NotFoundError as error:
        raise DamagedShardError(f"Expected the shard {name}. Received: no such object.") from error


def _require_size(shard: Shard, size: int, name: str) -> None:
    if size != shard.bytes:
        raise DamagedShardError(f"Expected the shard {name} of {shard.bytes} bytes. Received: {size}.")


def _require_sha256(shard: Shard, sha256: str, name: str) -> None:
    if sha256 != shard.sha256:
        raise DamagedShardError(f"Expected the shard {name} with SHA-256 {shard.sha256}. Received: {sha256}.")


def _header(data: bytes, shard: Shard, record: np.dtype[Any], name: str) -> int:
    """Return where the records begin in a shard's first bytes."""
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
    return stream.tell()


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
    """Yield (index of its first example, records) for each block of a split's shards, the next one fetched ahead.

    Raises:
        DamagedShardError: One shard is not what the manifest says; what was yielded of it last is not to be used.
    """
    store, start = shards.store(), 0
    blocks = (each for shard in shards.splits.get(split, ()) for each in shard_blocks(store, shard, shards.record))
    for records in ahead(lambda _: next(blocks, None), repeat(None)):
        if records is None:
            return
        yield start, records
        start += len(records)


def rows_at(shards: ShardSet, split: str, indices: np.ndarray) -> np.ndarray:
    """Return the records at some indices of a split, in their order; each shard that has some is read once."""
    store, found = shards.store(), np.empty(len(indices), shards.record)
    ends = np.cumsum([shard.count for shard in shards.splits[split]])
    owner = np.searchsorted(ends, indices, side="right")
    for number in np.unique(owner):
        shard = shards.splits[split][number]
        mine = np.flatnonzero(owner == number)
        at, first = indices[mine] - (ends[number] - shard.count), 0
        for records in shard_blocks(store, shard, shards.record):
            here = (at >= first) & (at < first + len(records))
            found[mine[here]] = records[at[here] - first]
            first += len(records)
    return found
