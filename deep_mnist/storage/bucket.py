"""What every object store has in common: patience, lost responses, whole files.

A store of its own protocol gives the single requests, each tried once, and says what an error of it means. Here they
are repeated with jitter until the patience ends, a conditional write whose response was lost is recognised by the token
that it wrote, and a download becomes a file only when it is complete.
"""

from __future__ import annotations

import contextlib
import os
import random
import time
import uuid
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from deep_mnist.storage.store import (
    PATIENCE_SECONDS,
    TIMEOUT_SECONDS,
    Generation,
    Names,
    NotFoundError,
    OvertakenError,
    PreconditionFailedError,
    StorageError,
    Store,
    StoreUnreachableError,
    checked_key,
)

T = TypeVar("T")

SLOWEST_BYTES_PER_SECOND = 1e6
RETRYABLE_STATUS = {408, 429, 500, 502, 503, 504}
WRITER = "writer"


class CorruptTransferError(StorageError):
    """The bytes at one end of a transfer are not those at the other."""

    fix = "run it again; where it fails again, check the network and its proxies"


@dataclass(frozen=True)
class Head:
    """What a store says about one object without its bytes.

    Attributes:
        size: Bytes.
        checksum: "crc32c:…" or "etag:…", as the store computed it.
        generation: Of the object's state.
        modified: Unix time.
        writer: The token of the `put` that wrote it, "" when something else did.
    """

    size: int
    checksum: str
    generation: Generation
    modified: float
    writer: str


@dataclass(frozen=True)
class Fault:
    """What an error of a single request means.

    Attributes:
        status: HTTP status that it stands for, 0 for none.
        passing: Whether a repetition may succeed.
        missing_bucket: Whether the bucket itself is known to be absent.
        fix: What to do about it, "" where the status says it.
        text: The error in the server's words, "" for those of the exception.
    """

    status: int
    passing: bool
    missing_bucket: bool = False
    fix: str = ""
    text: str = ""


class BucketStore(Store):
    """A prefix of a bucket. Every name that goes to a `_…_once` method begins with the prefix."""

    scheme: str
    rights: str  # how to grant them

    def __init__(
        self, bucket: str, prefix: str = "", *, patience: float = PATIENCE_SECONDS, timeout: float = TIMEOUT_SECONDS
    ) -> None:
        self.bucket = bucket
        self.prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self.url = f"{self.scheme}://{bucket}/{self.prefix}".rstrip("/")
        self.patience = patience
        self.timeout = timeout

    @abstractmethod
    def _read_once(self, name: str) -> tuple[bytes, Generation]:
        """Return bytes and generation of one state of an object."""

    @abstractmethod
    def _read_range_once(self, name: str, start: int, size: int) -> bytes:
        """Return some bytes of one state of an object that has as many or more than `start`."""

    @abstractmethod
    def _download_once(self, name: str, path: Path) -> None:
        """Write one state of an object to `path`, which may be left incomplete by an error."""

    @abstractmethod
    def _put_once(
        self, source: BinaryIO, name: str, size: int, if_generation: Generation | None, token: str
    ) -> Generation:
        """Write an object with the metadata {WRITER: token}, compare what the store holds with what was sent."""

    @abstractmethod
    def _head_once(self, name: str) -> Head: ...

    @abstractmethod
    def _list_once(self, start: str) -> Names:
        """Return the names that begin with `start`."""

    @abstractmethod
    def _folders_once(self, start: str) -> Names:
        """Return the parts between `start` and the next "/" of the names that have both."""

    @abstractmethod
    def _delete_once(self, name: str) -> None: ...

    @abstractmethod
    def _fault(self, error: Exception) -> Fault | None:
        """Return what an error means; None when it is none of the store's."""

    def read(self, key: str) -> tuple[bytes, Generation]:
        name = self._name(key)
        return self._repeat(key, lambda: self._read_once(name), changed_is_passing=True)

    def read_range(self, key: str, start: int, size: int) -> bytes:
        name = self._name(key)
        return self._repeat(key, lambda: self._read_range_once(name, start, size), changed_is_passing=True)

    def put(self, source: BinaryIO, key: str, if_generation: Generation | None) -> Generation:
        name, token, attempts = self._name(key), uuid.uuid4().hex, 0
        size = source.seek(0, os.SEEK_END)

        def request() -> Generation:
            nonlocal attempts
            attempts += 1
            source.seek(0)
            return self._put_once(source, name, size, if_generation, token)

        try:
            return self._repeat(key, request, size=size)
        except PreconditionFailedError as error:
            if attempts == 1:
                raise
            # An earlier attempt may have been done although its answer was lost.
            written = self._written_by(key, token)
            if written is None:
                raise OvertakenError(str(error)) from error
            return written

    def download_file(self, key: str, path: Path) -> None:
        name, partial = self._name(key), Path(f"{path}.{uuid.uuid4().hex}.partial")
        size = self._head(key).size
        try:
            self._repeat(key, lambda: self._download_once(name, partial), changed_is_passing=True, size=size)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    def describe(self, key: str) -> dict[str, Any]:
        head = self._head(key)
        return {
            "size": head.size,
            "checksum": head.checksum,
            "generation": head.generation,
            "modified": head.modified,
        }

    def list(self, prefix: str = "") -> Names:
        start = self.prefix + prefix
        names = self._repeat(prefix, lambda: self._list_once(start))
        return sorted(name.removeprefix(self.prefix) for name in names)

    def folders(self, prefix: str = "") -> Names:
        start = f"{self.prefix}{prefix.strip('/')}/" if prefix.strip("/") else self.prefix
        return sorted(set(self._repeat(prefix, lambda: self._folders_once(start))))

    def delete(self, key: str) -> None:
        name = self._name(key)
        with contextlib.suppress(NotFoundError):
            self._repeat(key, lambda: self._delete_once(name))

    def _name(self, key: str) -> str:
        return self.prefix + checked_key(key)

    def _head(self, key: str) -> Head:
        name = self._name(key)
        return self._repeat(key, lambda: self._head_once(name))

    def _written_by(self, key: str, token: str) -> Generation | None:
        """Return the object's generation if the writer with this token wrote it."""
        try:
            head = self._head(key)
        except NotFoundError:
            return None
        return head.generation if head.writer == token else None

    def _repeat(self, key: str, request: Callable[[], T], *, changed_is_passing: bool = False, size: int = 0) -> T:
        """Return what `request` returns, repeated with jitter while the store is to blame.

        Args:
            key: What the request is about.
            request: Gives up by itself after the timeout.
            changed_is_passing: Repeat also when the object changed between two requests of one read.
            size: Bytes to move.
        """
        patience = self.patience + size / SLOWEST_BYTES_PER_SECOND
        deadline = time.monotonic() + patience
        attempt = 0
        while True:
            try:
                return request()
            except Exception as error:
                fault = self._fault(error)
                if fault is None:
                    raise
                if not (fault.passing or (changed_is_passing and fault.status == 412)):
                    raise self._translated(error, fault, f"{self.url}/{key}") from error
                pause = random.uniform(0, min(8.0, 0.1 * 2 ** min(attempt, 10)))
                if time.monotonic() + pause >= deadline:
                    raise StoreUnreachableError(
                        f"Expected a response about {self.url}/{key} within {patience:g} s. "
                        f"Received: {type(error).__name__}: {error}"
                    ) from error
                time.sleep(pause)
                attempt += 1

    def _translated(self, error: Exception, fault: Fault, name: str) -> StorageError:
        if fault.missing_bucket:
            return NotFoundError(
                f"Expected {name} in a bucket that exists. Received: no such bucket: {self.scheme}://{self.bucket}. "
                "Fix: create it, or correct the address."
            )
        if fault.status == 404:
            return NotFoundError(f"Expected an object at {name}. Received: none (or no such bucket).")
        text = (fault.text or f"{error}").rstrip(".")
        if fault.status == 412:
            return PreconditionFailedError(f"Expected {name} in the state that was read. Received: {text}.")
        received = f"HTTP {fault.status}: {text}." if fault.status else f"{type(error).__name__}: {text}."
        if fault.status in (401, 403):
            fix = fault.fix or self.rights
            return StorageError(f"Expected to be allowed to use {name}. Received: {received} Fix: {fix}")
        remedy = f" Fix: {fault.fix}" if fault.fix else ""
        return StorageError(f"Expected a response about {name}. Received: {received}{remedy}")
