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
            parts = [reader.take(count * self.each).reshape(count, self.each) for reader in self._readers]
            records = np.resize(np.concatenate(parts, axis=1), size * len(parts) * self.each)
            return TrainingSplit(np.ascontiguousarray(records["image"]), np.ascontiguousarray(records["label"]))

        starts = steps[::size]
        yield from zip(starts, ahead(chunk, starts), strict=True)


class LaneReader:
    """Reads a lane from its beginning to its end, then again; the next shard is fetched ahead."""

    def __init__(self, shards: ShardSet, pieces: list[Piece], seed: tuple[int, ...], pool: ThreadPoolExecutor) -> None:
        self.shards, self.seed, self.store, self.pool = shards, seed, shards.store(), pool
        self._pieces = cycle(pieces)
        self._skipped = 0
        self._coming: Future[np.ndarray] | None = None
        self._left = np.empty(0, shards.record)

    def skip(self, count: int) -> None:
        """Pass over examples before reading begins; shards that lie before it are not read."""
        self._skipped += count

    def take(self, count: int) -> np.ndarray:
        """Return the next records."""
        parts, missing = [], count
        while missing:
            if not len(self._left):
                coming = self._coming or self._fetch()
                self._left = coming.result()
                self._coming = self._fetch()
            parts.append(self._left[:missing])
            self._left = self._left[missing:]
            missing -= len(parts[-1])
        return np.concatenate(parts)

    def _fetch(self) -> Future[np.ndarray]:
        piece = next(self._pieces)
        while self._skipped >= piece.last - piece.first:
            self._skipped -= piece.last - piece.first
            piece = next(self._pieces)
        first, self._skipped = piece.first + self._skipped, 0
        return self.pool.submit(self._read, piece.shard, first, piece.last)

    def _read(self, number: int, first: int, last: int) -> np.ndarray:
        shard = self.shards.splits["train"][number]
        order = np.random.default_rng((*self.seed, number)).permutation(shard.count)
        return read_shard(self.store, shard, self.shards.record)[order[first:last]]
