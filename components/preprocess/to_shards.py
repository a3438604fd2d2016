"""Write a train split in shards: one pass, a few blocks in memory, begun again where it stopped.

What is held out and what is drawn for the doctor to look at are ordinary arrays beside the manifest: they are bounded.
A finished block leaves a note in the store, so a repetition that finds it reads that instead of doing the block again;
the notes go when all are done.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from components.preprocess.blocks import RawBlocks, numbers_of
from deep_mnist.data.shards.allotment import DRAWN, TEST, VALIDATION, Allotment
from deep_mnist.data.shards.reading import ahead
from deep_mnist.data.shards.shard_set import Shard
from deep_mnist.data.shards.writing import record_of, write_shard
from deep_mnist.storage.store import NotFoundError, Store

Pair = tuple[np.ndarray, np.ndarray]
NAMES = {TEST: "test", VALIDATION: "validation", DRAWN: "train"}  # of the arrays that are written beside
MOST_HELD_OUT_BYTES = 256 << 20  # of each of validation and test
MOST_DRAWN_BYTES = 64 << 20
MOST_DRAWN = 1 << 16
WORKERS = 2
NOTES = "progress"


@dataclass(frozen=True)
class Sharding:
    """How a split is cut.

    Attributes:
        blocks: What is cut.
        convert: Raw images and labels -> as they are stored.
        store: Receives the shards.
        shard_bytes: Most bytes of examples in one shard.
        lots: Which examples go where.
    """

    blocks: RawBlocks
    convert: Callable[[np.ndarray, np.ndarray], Pair]
    store: Store
    shard_bytes: int
    lots: Allotment

    def run(self, folder: Path) -> tuple[Shard, ...]:
        """Write the shards to the store, the bounded arrays to `folder`; return the shards of train."""
        done: list[Shard] = []
        kept: dict[int, list[Pair]] = {kind: [] for kind in NAMES}
        for shards, arrays in ahead(self._block, range(len(self.blocks)), WORKERS):
            done += shards
            for kind, pair in arrays.items():
                kept[kind].append(pair)
        for kind, pairs in kept.items():
            if any(len(images) for images, _ in pairs):
                for part, name in enumerate(("images", "labels")):
                    array = np.concatenate([pair[part] for pair in pairs])
                    np.save(folder / f"{NAMES[kind]}_{name}.npy", array, allow_pickle=False)
        for key in self.store.list(f"{NOTES}/"):
            self.store.delete(key)
        return tuple(done)

    def _block(self, block: int) -> tuple[list[Shard], dict[int, Pair]]:
        key = f"{NOTES}/{block:05d}.npz"
        try:
            return _from_note(self.store.read(key)[0])
        except NotFoundError:
            pass
        images, labels = self.blocks.read(block)
        lots = self.lots.of(block, numbers_of(labels))
        images, labels = self.convert(images, labels)
        shards = self._write(block, images[lots >= DRAWN], labels[lots >= DRAWN])
        kept = {kind: (images[lots == kind], labels[lots == kind]) for kind in NAMES}
        self.store.write(key, _note(shards, kept))
        return shards, kept

    def _write(self, block: int, images: np.ndarray, labels: np.ndarray) -> list[Shard]:
        rows = rows_in(self.shard_bytes, images, labels)
        starts = range(0, len(images), rows)
        names = [f"train-{block:05d}{f'-{place}' if len(starts) > 1 else ''}.npy" for place in range(len(starts))]
        return [
            write_shard(self.store, name, images[start : start + rows], labels[start : start + rows])
            for name, start in zip(names, starts, strict=True)
        ]


def rows_in(shard_bytes: int, images: np.ndarray, labels: np.ndarray) -> int:
    """Return how many examples of this form a shard of so many bytes holds, at least 1."""
    return max(1, shard_bytes // record_of(images, labels).itemsize)


def lots_of(blocks: RawBlocks, shares: dict[int, float], seed: int, example_bytes: int) -> Allotment:
    """Return the lots of all examples; `shares` as in Allotment, `example_bytes` as it is stored."""
    tallies = [blocks.tally(block) for block in range(len(blocks))]
    most, drawn = MOST_HELD_OUT_BYTES // example_bytes, min(MOST_DRAWN, MOST_DRAWN_BYTES // example_bytes)
    return Allotment(tallies, shares, seed=seed, most_held_out=max(1, most), drawn=max(1, drawn))


def _note(shards: list[Shard], kept: dict[int, Pair]) -> bytes:
    stream = io.BytesIO()
    arrays: dict[str, Any] = {f"{kind}_{part}": pair[part] for kind, pair in kept.items() for part in (0, 1)}
    text = json.dumps([asdict(shard) for shard in shards]).encode()
    np.savez(stream, shards=np.frombuffer(text, np.uint8), **arrays)
    payload = stream.getvalue()
    return hashlib.sha256(payload).digest() + payload


def _from_note(data: bytes) -> tuple[list[Shard], dict[int, Pair]]:
    """Return what a block's note tells.

    Raises:
        NotFoundError: It is damaged: as good as none.
    """
    if hashlib.sha256(data[32:]).digest() != data[:32]:
        raise NotFoundError("Expected a whole note. Received: a damaged one.")
    with np.load(io.BytesIO(data[32:]), allow_pickle=False) as note:
        shards = [Shard(**each) for each in json.loads(note["shards"].tobytes())]
        return shards, {kind: (note[f"{kind}_0"], note[f"{kind}_1"]) for kind in NAMES}
