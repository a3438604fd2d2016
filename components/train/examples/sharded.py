"""A train split that lies in shards: an order of all its examples in which each shard is read about once an epoch.

The epoch's shards stand in a random order, and the examples of each in a random order. This line is cut into LANES of
equal length, and a batch takes as many examples of each lane: so it comes from LANES shards. A node reads the lanes of
its share of the batch, and no others; the order is the same for any number of nodes that LANES can be divided by.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle
from typing import NamedTuple

import numpy as np

from components.train.examples.split import TrainingSplit
from deep_mnist.data.shards.reading import ahead, read_shard
from deep_mnist.data.shards.shard_set import ShardSet

LANES = 8
READERS = 4  # threads that fetch and check shards


class Piece(NamedTuple):
    """Some examples of a shard: those from `first` to `last`, in the shard's order of the epoch."""

    shard: int
    first: int
    last: int


@dataclass(frozen=True)
class ShardedSplit(TrainingSplit):
    """A split in shards; `images` and `labels` are rows drawn over all of it, for what looks at some.

    Attributes:
        shards: Where the split lies.
    """

    shards: ShardSet

    def __len__(self) -> int:
        return self.shards.count("train")

    @property
    def nbytes(self) -> int:
        return len(self) * self.shards.record.itemsize

    def steps(self, batch: int) -> int:
        """Return how many steps of `batch` examples, a multiple of LANES, an epoch has."""
        return max(1, len(self) // LANES // (batch // LANES))

    def pieces(self, seed: int, epoch: int, lane: int) -> list[Piece]:
        """Return what a lane of an epoch consists of, in order."""
        counts = np.array([shard.count for shard in self.shards.splits["train"]])
        line = np.random.default_rng((seed, epoch)).permutation(len(counts))
        starts = np.concatenate([[0], np.cumsum(counts[line])])
        length = max(1, len(self) // LANES)
        first, last = (lane * length) % len(self), (lane * length) % len(self) + length
        found = []
        for place, shard in enumerate(line.tolist()):
            begin, end = max(first, int(starts[place])), min(last, int(starts[place + 1]))
            if begin < end:
                found.append(Piece(shard, begin - int(starts[place]), end - int(starts[place])))
        return found


class ShardStream:
    """Reads a sharded split in the order of its steps; calls that follow one another go on where the last one ended."""

    def __init__(self, split: ShardedSplit, *, seed: int, batch: int, lanes: range) -> None:
        """Read nothing yet.

        Args:
            split: What is read.
            seed: Of the order.
            batch: Examples of a step, over all lanes.
            lanes: Those of this node's share.
        """
        self.split, self.seed, self.lanes, self.each = split, seed, lanes, batch // LANES
        self._at = (-1, -1)
        self._readers: list[LaneReader] = []
        self._pool = ThreadPoolExecutor(max_workers=READERS, thread_name_prefix="shards")

    def chunks(self, epoch: int, steps: range, size: int) -> Iterator[tuple[int, TrainingSplit]]:
        """Yield (first step, examples) for every `size` of the steps, the next one prepared meanwhile.

        The examples lie in the order of their steps, and within a step lane by lane. The last chunk is filled up with
        its own first examples, so that all chunks have one shape and the loop is compiled once.
        """
        if self._at != (epoch, steps.start):
            seed = (self.seed, epoch, 2)
            pieces = [self.split.pieces(self.seed, epoch, lane) for lane in self.lanes]
            self._readers = [LaneReader(self.split.shards, each, seed, self._pool) for each in pieces]
            for reader in self._readers:
                reader.skip(steps.start * self.each)
        self._at = (epoch, steps.stop)

        def chunk(start: int) -> TrainingSplit:
            count = min(size, steps.stop - start)
            records = np.empty((size, len(self._readers), self.each), self.split.shards.record)
            for lane, reader in enumerate(self._readers):
                reader.take(records[:count, lane])
            records[count:] = np.resize(records[:count], (size - count, *records.shape[1:]))
            flat = records.reshape(-1)
            return TrainingSplit(np.ascontiguousarray(flat["image"]), np.ascontiguousarray(flat["label"]))

        starts = steps[::size]
        yield from zip(starts, ahead(chunk, starts), strict=True)


class Opened(NamedTuple):
    """A shard's records as they lie in it, and the order in which those of a piece are taken."""

    records: np.ndarray
    order: np.ndarray


NOTHING = Opened(np.empty(0), np.empty(0, np.int64))


class LaneReader:
    """Reads a lane from its beginning to its end, then again; the next shard is fetched when half of one is left."""

    def __init__(self, shards: ShardSet, pieces: list[Piece], seed: tuple[int, ...], pool: ThreadPoolExecutor) -> None:
        self.shards, self.seed, self.store, self.pool = shards, seed, shards.store(), pool
        self._pieces = cycle(pieces)
        self._skipped = 0
        self._coming: Future[Opened] | None = None
        self._opened = NOTHING
        self._taken = 0

    def skip(self, count: int) -> None:
        """Pass over examples before reading begins; shards that lie before it are not read."""
        self._skipped += count

    def take(self, into: np.ndarray) -> None:
        """Write the next records into an array of steps, (steps, each of a step)."""
        steps, each = into.shape
        for step in range(steps):
            filled = 0
            while filled < each:
                at = self._next(each - filled)
                into[step, filled : filled + len(at)] = self._opened.records[at]
                filled += len(at)

    def _next(self, most: int) -> np.ndarray:
        """Return the places, in the shard that is open, of up to `most` of the next records."""
        if self._taken == len(self._opened.order):
            coming = self._coming or self._fetch()
            self._opened = NOTHING  # its memory is free while the next one comes
            self._opened, self._coming, self._taken = coming.result(), None, 0
        at = self._opened.order[self._taken : self._taken + most]
        self._taken += len(at)
        if self._coming is None and 2 * self._taken >= len(self._opened.order):
            self._coming = self._fetch()
        return at

    def _fetch(self) -> Future[Opened]:
        piece = next(self._pieces)
        while self._skipped >= piece.last - piece.first:
            self._skipped -= piece.last - piece.first
            piece = next(self._pieces)
        first, self._skipped = piece.first + self._skipped, 0
        return self.pool.submit(self._read, piece.shard, first, piece.last)

    def _read(self, number: int, first: int, last: int) -> Opened:
        shard = self.shards.splits["train"][number]
        order = np.random.default_rng((*self.seed, number)).permutation(shard.count)
        return Opened(read_shard(self.store, shard, self.shards.record), order[first:last])
