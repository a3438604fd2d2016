"""A plain folder with a bucket's semantics: whole objects by rename, conditional writes under a lock."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from deep_mnist.storage.store import (
    ABSENT,
    PATIENCE_SECONDS,
    Generation,
    Names,
    NotFoundError,
    PreconditionFailedError,
    StorageError,
    Store,
    StoreUnreachableError,
    checked_key,
)

STALE_SECONDS = 24 * 3600.0
LOCK_POLL_SECONDS = 0.01
_HIDDEN = (".partial", ".lock")


class FolderStore(Store):
    """A folder whose files change only by rename, conditional writes under a lock that dies with its process."""

    def __init__(self, root: Path, *, patience: float = PATIENCE_SECONDS) -> None:
        self.root = Path(root).absolute()
        self.url = str(self.root)
        self.patience = patience

    def read(self, key: str) -> tuple[bytes, Generation]:
        with self._errors(key):
            data = self._path(key).read_bytes()
        return data, hashlib.sha256(data).hexdigest()

    def read_range(self, key: str, start: int, size: int) -> bytes:
        with self._errors(key), self._path(key).open("rb") as stream:
            stream.seek(start)
            return stream.read(size)

    def put(self, source: BinaryIO, key: str, if_generation: Generation | None) -> Generation:
        path = self._path(key)
        if if_generation is not None:
            self._require(key, if_generation)  # what fails already need not be written first
        with self._errors(key), self._partial() as (partial, stream):
            digest = hashlib.sha256()
            while block := source.read(1 << 20):
                digest.update(block)
                stream.write(block)
            stream.flush()
            os.fsync(stream.fileno())
            if if_generation is None:
                _rename(partial, path)
            else:
                with self._lock():
                    self._require(key, if_generation)
                    _rename(partial, path)
        return digest.hexdigest()

    def download_file(self, key: str, path: Path) -> None:
        partial = Path(f"{path}.{uuid.uuid4().hex}.partial")
        with self._errors(key):
            source = self._path(key)
            if not source.is_file():
                raise FileNotFoundError
            try:
                shutil.copyfile(source, partial)
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)

    def describe(self, key: str) -> dict[str, Any]:
        with self._errors(key), self._path(key).open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            facts = os.fstat(stream.fileno())
        return {"size": facts.st_size, "checksum": f"sha256:{digest}", "generation": digest, "modified": facts.st_mtime}

    def exists(self, key: str) -> bool:
        return self._path(key).is_file()

    def list(self, prefix: str = "") -> Names:
        top = self.root / prefix.rpartition("/")[0]
        found = (path.relative_to(self.root) for path in top.rglob("*") if path.is_file())
        keys = (path.as_posix() for path in found if path.parts[0] not in _HIDDEN)
        return sorted(key for key in keys if key.startswith(prefix))

    def folders(self, prefix: str = "") -> Names:
        top = self.root / prefix.rstrip("/")
        if not top.is_dir():
            return []
        return sorted(path.name for path in top.iterdir() if path.is_dir() and path.name not in _HIDDEN)

    def delete(self, key: str) -> None:
        path = self._path(key)
        with self._errors(key):
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # the folder is not empty: others live there
                for parent in path.relative_to(self.root).parents[:-1]:
                    (self.root / parent).rmdir()

    def _path(self, key: str) -> Path:
        if checked_key(key).split("/")[0] in _HIDDEN:
            raise StorageError(f"Expected a key that does not start with one of {_HIDDEN}. Received: {key!r}")
        return self.root / key

    def _require(self, key: str, expected: Generation) -> None:
        try:
            found: Generation = self.describe(key)["generation"]
        except NotFoundError:
            found = ABSENT
        if found != expected:
            raise PreconditionFailedError(f"Expected {self.url}/{key} at generation {expected}. Received: {found}.")

    @contextlib.contextmanager
    def _partial(self) -> Iterator[tuple[Path, BinaryIO]]:
        """Yield a new file beside the objects, on the same file system; what is left of it is removed."""
        folder = self.root / ".partial"
        folder.mkdir(parents=True, exist_ok=True)
        for stale in folder.iterdir():  # left by a killed process
            with contextlib.suppress(OSError):
                if time.time() - stale.stat().st_mtime > STALE_SECONDS:
                    stale.unlink()
        path = folder / uuid.uuid4().hex
        try:
            with path.open("xb") as stream:
                yield path, stream
        finally:
            path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        """Hold the store's lock, which the system releases when its holder dies."""
        deadline = time.monotonic() + self.patience
        ours = _lock_of_process(os.getpid(), self.root)
        if not ours.acquire(timeout=self.patience):
            raise self._locked("thread of this process")
        try:
            left = max(0.0, deadline - time.monotonic())
            with FileLock(self.root / ".lock", timeout=left, poll_interval=LOCK_POLL_SECONDS):
                yield
        except Timeout as error:
            raise self._locked("process") from error
        finally:
            ours.release()

    def _locked(self, holder: str) -> StoreUnreachableError:
        return StoreUnreachableError(
            f"Expected the lock {self.root / '.lock'} within {self.patience:g} s. Received: another {holder} holds it. "
            f"Fix: end that {holder.split()[0]}"
        )

    @contextlib.contextmanager
    def _errors(self, key: str) -> Iterator[None]:
        try:
            yield
        except StorageError:
            raise
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            raise NotFoundError(f"Expected an object at {self.url}/{key}. Received: none.") from error
        except OSError as error:
            raise StorageError(
                f"Expected to read and write {self.url}/{key}. Received: {error.strerror or error}. "
                "Fix: Check the folder's rights and free space."
            ) from error


@cache
def _lock_of_process(_process: int, _root: Path) -> threading.Lock:
    """Return what the threads of a process wait at, each for the ones before it: only one of them asks for the file."""
    return threading.Lock()


def _rename(partial: Path, path: Path) -> None:
    """Make `path` name the partial file's bytes, and make that last."""
    for attempt in range(10):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.replace(path)
            break
        except FileNotFoundError:  # `delete` removed the emptied folder in between
            if attempt == 9 or not partial.exists():
                raise
    with contextlib.suppress(OSError):  # some network file systems cannot; the rename is done all the same
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
