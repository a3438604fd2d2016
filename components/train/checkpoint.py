"""Checkpoints written straight to a store, for KFP uploads nothing of a killed task.

It stays until what the training wrote is safe: on a cluster that is after the step's end, when KFP's launcher has
stored it, so there the last checkpoint says for which output it was finished. A repetition of that task goes on from
it, a new run starts over, and whatever nobody came back for is swept away after LIFETIME_SECONDS.

One object: a line of magic, the SHA-256 of what follows, then an `.npz` of the state whose member
`header` tells where the training stood and what it is a training of. A store's write is atomic, so a
reader finds the last whole checkpoint or none. Nothing is pickled.
"""

from __future__ import annotations

import hashlib
import io
import json
import signal
import threading
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import FrameType
from typing import Any

import numpy as np

from deep_mnist.storage.open import open_store
from deep_mnist.storage.store import NotFoundError, StorageError

ENDING = ".checkpoint"
MAGIC = b"deep-mnist checkpoint 1\n"
DIGEST_BYTES = 65  # hex and a line feed
PATIENCE_SECONDS = 30.0
LIFETIME_SECONDS = 14 * 24 * 3600.0  # longer than any training may be away from its node
# Where KFP's launcher keeps what it stores when the step has ended, by the store's scheme.
UPLOADED = ("/gcs/", "/s3/", "/minio/")


class RefusedCheckpointError(ValueError):
    """A checkpoint that is damaged or of another training."""

    fix = "nothing: training starts from the beginning"


class TrainingInterruptedError(SystemExit):
    """The training was asked to end, and has left a checkpoint; the exit status is the signal's."""

    fix = "run it again: training goes on from its checkpoint"


@dataclass(frozen=True)
class Snapshot:
    """Where a training stood after `step` steps of `epoch`, both counted from 0.

    Attributes:
        seconds: Spent on that epoch so far.
        history: Records of the finished epochs.
        arrays: The loop's state.
        finished: The output that a finished training was for, "" before its end.
    """

    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    finished: str = ""


def encode(snapshot: Snapshot, identity: Mapping[str, Any]) -> bytes:
    """Return a checkpoint's bytes."""
    header = {
        "identity": dict(identity),
        "epoch": snapshot.epoch,
        "step": snapshot.step,
        "seconds": snapshot.seconds,
        "history": snapshot.history,
        "finished": snapshot.finished,
    }
    stream = io.BytesIO()
    text = np.frombuffer(json.dumps(header).encode(), np.uint8)
    members: dict[str, Any] = {f"state/{name}": array for name, array in snapshot.arrays.items()}
    np.savez(stream, header=text, **members)
    payload = stream.getvalue()
    return MAGIC + hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload


def decode(data: bytes, identity: Mapping[str, Any]) -> Snapshot:
    """Return the snapshot in a checkpoint's bytes.

    Raises:
        RefusedCheckpointError: Damaged, or of another data set, code, network, seed, …; the message says which.
    """
    payload = _checked_payload(data)
    try:
        with np.load(io.BytesIO(payload), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        header = json.loads(arrays.pop("header").tobytes())
        received = header["identity"]
        differing = sorted(name for name in {*identity, *received} if identity.get(name) != received.get(name))
        if differing:
            name = differing[0]
            raise RefusedCheckpointError(
                f"Expected a checkpoint of this training. Received: one with another {', '.join(differing)} "
                f"({name}: {received.get(name)!r} instead of {identity.get(name)!r})."
            )
        state = {name.removeprefix("state/"): array for name, array in arrays.items()}
        place = (header["epoch"], header["step"], header["seconds"], header["history"])
        return Snapshot(*place, state, header.get("finished", ""))
    except (KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError, zipfile.BadZipFile, OSError) as error:
        raise RefusedCheckpointError(f"Expected a whole checkpoint. Received: {error!r}.") from error


def _checked_payload(data: bytes) -> bytes:
    if not data.startswith(MAGIC):
        raise RefusedCheckpointError(f"Expected a checkpoint headed {MAGIC!r}. Received: {data[: len(MAGIC)]!r}.")
    head = len(MAGIC) + DIGEST_BYTES
    stated, payload = data[len(MAGIC) : head].decode(errors="replace").strip(), data[head:]
    received = hashlib.sha256(payload).hexdigest()
    if stated != received:
        raise RefusedCheckpointError(
            f"Expected a checkpoint with SHA-256 {stated}. Received: {received}: it is damaged."
        )
    return payload


class Checkpoints:
    """The checkpoint of one training in a store; without an address, nothing is kept.

    Attributes:
        identity: What makes a training this one: digests of data and code, network, seed, and so on.
        writes: False only reads: of several nodes one writes.
    """

    def __init__(
        self, url: str, identity: Mapping[str, Any], *, every: float, output: str = "", writes: bool = True
    ) -> None:
        self.identity, self.every, self.output, self.writes = identity, every, output, writes
        self.store = open_store(url, patience=PATIENCE_SECONDS) if url else None
        name = hashlib.sha256(json.dumps(dict(identity), sort_keys=True).encode()).hexdigest()[:16]
        self.key = f"{identity.get('network', 'network')}-{name}{ENDING}"
        self._last = time.monotonic()

    def load(self) -> Snapshot:
        """Return where to go on; the very start when there is no usable checkpoint, with a line that says why."""
        if self.store is None:
            return Snapshot()
        try:
            data, _ = self.store.read(self.key)
            found = decode(data, self.identity)
        except NotFoundError:
            return Snapshot()
        except RefusedCheckpointError as refusal:
            print(f"checkpoint: {self.key} refused, training starts over. {refusal}", flush=True)
            return Snapshot()
        if found.finished not in ("", self.output):
            print("checkpoint: an earlier run has finished this training; this one starts over", flush=True)
            return Snapshot()
        print(f"checkpoint: going on after step {found.step} of epoch {found.epoch + 1}", flush=True)
        return found

    def sweep(self) -> None:
        """Remove the checkpoints of other trainings for which nobody came back; a store that fails costs a line."""
        if self.store is None or not self.writes:
            return
        oldest = time.time() - LIFETIME_SECONDS
        try:
            others = [key for key in self.store.list() if key.endswith(ENDING) and "/" not in key and key != self.key]
            left = [key for key in others if self.store.describe(key)["modified"] < oldest]
            for key in left:
                self.store.delete(key)
        except StorageError as error:
            print(f"checkpoint: old ones could not be swept. {error}", flush=True)
            return
        if left:
            print(f"checkpoint: {len(left)} older than {LIFETIME_SECONDS / 86400:.0f} days are removed", flush=True)

    def due(self) -> bool:
        """Tell whether the last checkpoint is old enough for another."""
        return self.store is not None and self.writes and time.monotonic() - self._last >= self.every

    def save(self, snapshot: Snapshot) -> bool:
        """Write a checkpoint; a store that fails costs a line, not the training."""
        self._last = time.monotonic()
        if self.store is None or not self.writes:
            return False
        try:
            self.store.write(self.key, encode(snapshot, self.identity))
        except StorageError as error:
            print(f"checkpoint: not written, training goes on. {error}", flush=True)
            return False
        return True

    def finish(self, snapshot: Snapshot) -> None:
        """Keep the end of a training whose output is stored only after the step has ended."""
        if self.output.startswith(UPLOADED):
            self.save(replace(snapshot, finished=self.output))

    def settle(self) -> None:
        """Remove the checkpoint of a training whose output is where it stays."""
        if not self.output.startswith(UPLOADED):
            self.remove()

    def remove(self) -> None:
        """Remove the checkpoint of a training that has ended well."""
        if self.store is not None and self.writes:
            try:
                self.store.delete(self.key)
            except StorageError as error:
                print(f"checkpoint: {self.key} could not be removed. {error}", flush=True)


class StopSignal:
    """Catches SIGTERM while the context lasts; `received` is the signal's number, 0 before.

    Signals reach Python's main thread only; elsewhere nothing is caught and SIGTERM ends the process.
    """

    def __init__(self, *, active: bool) -> None:
        self.received = 0
        self._active = active and threading.current_thread() is threading.main_thread()
        self._before: Any = None

    def __enter__(self) -> StopSignal:
        if self._active:
            self._before = signal.signal(signal.SIGTERM, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        if self._active:
            signal.signal(signal.SIGTERM, self._before)

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        self.received = number
