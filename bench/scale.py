"""Data larger than any disk: the doctor's pass over shards and a streamed epoch of them, in a store that makes them up.

    python -m bench.scale 10 --stream 2

A few shards are made once and are given again and again under as many names as the size asks for, so what is measured
is what shards cost after they came over the network: SHA-256, survey, shuffling. Prints seconds (and those
of one core, which other programs do not change), resident memory and
disk.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import resource
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from components.train.examples.sharded import LANES, ShardedSplit, ShardStream
from deep_mnist.data.shards.shard_set import Shard, ShardSet
from deep_mnist.doctor.evidence.sharded import survey_shards
from deep_mnist.storage.folder import FolderStore
from deep_mnist.storage.store import Generation, NotFoundError

EXAMPLES = 5_000  # of a shard: 4 MB
DIFFERENT = 4  # shards that are made up
BATCH, CHUNK_STEPS = 128, 64
OF_THEM = f"{DIFFERENT * 4} of them the made-up shards; no disk"


class MadeUpStore(FolderStore):
    """A store whose every shard is one of a few, which are in memory."""

    def __init__(self, contents: list[bytes]) -> None:
        super().__init__(Path("/nowhere"))
        self.contents = contents

    def read(self, key: str) -> tuple[bytes, Generation]:
        """Return one of the contents, a new copy, as from a network."""
        number = int(key.removeprefix("train-").removesuffix(".npy"))
        if number < 0:
            raise NotFoundError(key)
        return bytes(bytearray(self.contents[number % len(self.contents)])), 1


@dataclass(frozen=True)
class MadeUpSet(ShardSet):
    """A set of shards of a made-up store."""

    made_up: Any = None

    def store(self) -> MadeUpStore:
        """Return the store that makes them up."""
        found: MadeUpStore = self.made_up
        return found


def made_up(gigabytes: float) -> MadeUpSet:
    """Return a set of so many gigabytes of images like MNIST's."""
    random = np.random.default_rng(0)
    record = np.dtype([("image", "|u1", (28, 28, 1)), ("label", "<i8")])
    contents, shards = [], []
    for _ in range(DIFFERENT):
        records = np.empty(EXAMPLES, record)
        records["image"] = random.integers(0, 256, (EXAMPLES, 28, 28, 1), np.uint8)
        records["label"] = random.integers(0, 10, EXAMPLES)
        stream = io.BytesIO()
        np.save(stream, records)
        contents.append(stream.getvalue())
        shards.append(Shard("", EXAMPLES, len(contents[-1]), hashlib.sha256(contents[-1]).hexdigest(), {}))
    count = round(gigabytes * 1e9 / len(contents[0]))
    listed = tuple(replace(shards[number % DIFFERENT], name=f"train-{number:05d}.npy") for number in range(count))
    form = ((28, 28, 1), "|u1", (), "<i8")
    return MadeUpSet("made-up", *form, {"train": listed}, made_up=MadeUpStore(contents))


class Peak:
    """The most resident memory of this process while the context lasts, Mi."""

    def __enter__(self) -> Peak:
        self.mebibytes, self._over = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            self.mebibytes = max(self.mebibytes, pages * resource.getpagesize() / 2**20)

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def measure_doctor(gigabytes: float) -> str:
    """Survey so many gigabytes; return the line of figures."""
    shards, began, worked = made_up(gigabytes), time.perf_counter(), time.process_time()
    with Peak() as peak:
        found = survey_shards(shards, "train")
    seconds, work = time.perf_counter() - began, time.process_time() - worked
    return (
        f"doctor   {gigabytes:6.1f} GB  {len(shards.splits['train']):6d} shards  {found.count:10d} examples  "
        f"{seconds:7.1f} s ({work:.1f} s of one core)  {peak.mebibytes:5.0f} Mi resident, {OF_THEM}"
    )


def measure_stream(gigabytes: float) -> str:
    """Stream an epoch of so many gigabytes in training's order, without training; return the line of figures."""
    shards = made_up(gigabytes)
    split = ShardedSplit(np.zeros((1, 28, 28, 1), np.uint8), np.zeros(1, np.int64), shards)
    stream = ShardStream(split, seed=0, batch=BATCH, lanes=range(LANES))
    began, worked, steps = time.perf_counter(), time.process_time(), split.steps(BATCH)
    with Peak() as peak:
        seen = sum(len(chunk) for _, chunk in stream.chunks(0, range(steps), CHUNK_STEPS))
    seconds, work = time.perf_counter() - began, time.process_time() - worked
    return (
        f"stream   {gigabytes:6.1f} GB  {steps:6d} steps of {BATCH}  {seen:10d} examples  {seconds:7.1f} s  "
        f"({work:.1f} s of one core)  {peak.mebibytes:5.0f} Mi resident, {OF_THEM}"
    )


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gigabytes", type=float, nargs="*", default=[1.0, 4.0], help="for the doctor")
    parser.add_argument("--stream", type=float, nargs="*", default=[], help="for training's stream")
    chosen = parser.parse_args()
    for each in chosen.gigabytes:
        print(measure_doctor(each), flush=True)
    for each in chosen.stream:
        print(measure_stream(each), flush=True)


if __name__ == "__main__":
    main()
