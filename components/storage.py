"""Objects in `gs://` buckets and in plain folders, with the same conditional writes.

    store = open_store("gs://bucket/models")            # or "file:///srv/models", "./registry"
    data, generation = store.read("mnist/champion.json")
    store.write("mnist/champion.json", data, if_generation=generation)   # PreconditionFailed if it moved

A generation names one state of one object: an integer in a bucket, the SHA-256 of the bytes in a
folder. `if_generation=0` means "must not exist". A reader sees a whole object or none, at any
moment and whichever process is killed; the last step of a write is one rename or one request.

A bucket's requests carry CRC32C checksums and are repeated, with jitter, until `patience` seconds
have passed. A conditional write whose answer was lost is recognised by the token that it wrote, so
a repetition is neither lost nor done twice; only when somebody overwrote it before that can nobody say,
and then `Overtaken` does. `STORAGE_EMULATOR_HOST` names an emulator.

Errors:
    StorageError(OSError)        something else: no rights, no space, a bad address
    ├── NotFound                 no such object
    ├── PreconditionFailed       the object is not in the state that the caller named
    │   └── Overtaken            …and this write may have been done before somebody else's; look in the content
    └── Unreachable              the store did not answer within the patience
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import os
import random
import shutil
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, TypeVar
from urllib.parse import unquote, urlsplit

Generation = int | str
Names = list[str]
T = TypeVar("T")

ABSENT: Generation = 0
PATIENCE_SECONDS = 120.0
TIMEOUT_SECONDS = 30.0
SLOWEST_BYTES_PER_SECOND = 1e6
STALE_SECONDS = 24 * 3600.0
_RETRYABLE_STATUS = {408, 429, 500, 502, 503, 504}
_HIDDEN = (".partial", ".lock")


class StorageError(OSError):
    """A store that cannot do what was asked."""


class NotFound(StorageError):
    """No object has this key."""


class PreconditionFailed(StorageError):
    """The object is not in the state that `if_generation` names."""


class Overtaken(PreconditionFailed):
    """The object moved on, and an attempt whose answer was lost may have been one of its states."""


class Unreachable(StorageError):
    """The store did not answer within the patience; a write may or may not have been done."""


class Store(ABC):
    """What a bucket and a folder have in common. Keys are relative, with `/`."""

    url: str

    @abstractmethod
    def read(self, key: str) -> tuple[bytes, Generation]:
        """Return an object's bytes and the generation they belong to."""

    @abstractmethod
    def put(self, source: BinaryIO, key: str, if_generation: Generation | None) -> Generation:
        """Write a seekable stream as one object and return its generation."""

    @abstractmethod
    def download_file(self, key: str, path: Path) -> None:
        """Write an object to `path`, whole or not at all."""

    @abstractmethod
    def describe(self, key: str) -> dict[str, Any]:
        """Return size (bytes), checksum ("sha256" in a folder, "crc32c" in a bucket), generation and modified (Unix
        time) of an object."""

    @abstractmethod
    def list(self, prefix: str = "") -> Names:
        """Return the sorted keys that start with `prefix`."""

    @abstractmethod
    def folders(self, prefix: str = "") -> Names:
        """Return the sorted names of the folders directly in the folder `prefix`."""

    @abstractmethod
    def delete(self, key: str) -> None:
        """Remove an object; an absent one is no error."""

    def write(self, key: str, data: bytes, *, if_generation: Generation | None = None) -> Generation:
        """Write bytes as one object and return its generation."""
        return self.put(io.BytesIO(data), key, if_generation)

    def upload_file(self, path: Path, key: str, *, if_generation: Generation | None = None) -> Generation:
        """Write a file as one object and return its generation."""
        with Path(path).open("rb") as source:
            return self.put(source, key, if_generation)

    def exists(self, key: str) -> bool:
        try:
            self.describe(key)
        except NotFound:
            return False
        return True

    def upload_folder(self, folder: Path, prefix: str, *, last: str = "") -> Names:
        """Write every file below `folder` under `prefix`, the file named `last` at the end; return the keys."""
        files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        names = sorted((path.relative_to(folder).as_posix() for path in files), key=lambda name: (name == last, name))
        for name in names:
            self.upload_file(Path(folder) / name, f"{prefix.rstrip('/')}/{name}")
        return [f"{prefix.rstrip('/')}/{name}" for name in names]

    def download_folder(self, prefix: str, folder: Path) -> Sequence[Path]:
        """Write every object below `prefix` into `folder`; return the files.

        Raises:
            NotFound: There is none; an empty folder is no answer.
        """
        start = prefix.rstrip("/") + "/"
        keys = self.list(start)
        if not keys:
            raise NotFound(f"Expected objects below {self.url}/{start}. Received: none.")
        paths = [Path(folder) / checked_key(key.removeprefix(start)) for key in keys]
        for key, path in zip(keys, paths, strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            self.download_file(key, path)
        return paths


def open_store(url: str, *, patience: float = PATIENCE_SECONDS, timeout: float = TIMEOUT_SECONDS) -> Store:
    """Return the store at a `gs://bucket/prefix`, a `file://` URL or a folder's path; nothing is created yet.

    Args:
        url: Where the store is.
        patience: Seconds after which repeated requests (or the wait for a folder's lock) are given up; large objects
            get a second more for each megabyte.
        timeout: Seconds after which one request is given up.
    """
    scheme, separator, rest = url.partition("://")
    if (url and not separator) or (scheme == "file" and rest):
        return FolderStore(_folder(url), patience=patience)
    if scheme == "gs" and rest:
        bucket, _, prefix = rest.partition("/")
        return BucketStore(bucket, prefix, patience=patience, timeout=timeout)
    raise StorageError(f"Expected gs://bucket/prefix, file:///folder or a path. Received: {url!r}")


def fetch(url: str, destination: Path) -> None:
    """Write the object or local file at `url` to `destination`, whole or not at all."""
    scheme, separator, rest = url.partition("://")
    if scheme == "gs" and separator:
        bucket, _, key = rest.partition("/")
        open_store(f"gs://{bucket}").download_file(key, destination)
        return
    if separator and scheme != "file":
        raise StorageError(f"Expected gs://bucket/key, file:///path or a path. Received: {url!r}")
    path = _folder(url)
    if not path.is_file():
        raise NotFound(f"Expected a file at {path}. Received: {'a folder' if path.is_dir() else 'nothing'}.")
    open_store(str(path.parent)).download_file(path.name, destination)


def sha256_of_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes, read in constant memory."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def checked_key(key: str) -> str:
    """Return `key` if it is relative and stays where it is put."""
    parts = PurePosixPath(key).parts
    if not key or key != "/".join(parts) or key.startswith("/") or {".", ".."} & set(parts) or "\0" in key:
        raise StorageError(f"Expected a relative key without '.', '..' or empty parts. Received: {key!r}")
    return key


def _folder(url: str) -> Path:
    if not url.startswith("file://"):
        return Path(url).expanduser()
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise StorageError(f"Expected file:///absolute/path. Received: {url!r}, which names the host {parts.netloc!r}.")
    return Path(unquote(parts.path))


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

    def put(self, source: BinaryIO, key: str, if_generation: Generation | None) -> Generation:
        path = self._path(key)
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
        return {"size": facts.st_size, "sha256": digest, "generation": digest, "modified": facts.st_mtime}

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
        path = self._path(key)
        found: Generation = self.describe(key)["generation"] if path.exists() else ABSENT
        if found != expected:
            raise PreconditionFailed(f"Expected {self.url}/{key} at generation {expected}. Received: {found}.")

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
        with (self.root / ".lock").open("ab") as stream:
            while True:
                try:
                    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError as error:
                    if time.monotonic() > deadline:
                        raise Unreachable(
                            f"Expected the lock {stream.name} within {self.patience:g} s. Received: another process "
                            "holds it. End that process."
                        ) from error
                    time.sleep(random.uniform(0.001, 0.02))
            yield

    @contextlib.contextmanager
    def _errors(self, key: str) -> Iterator[None]:
        try:
            yield
        except StorageError:
            raise
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            raise NotFound(f"Expected an object at {self.url}/{key}. Received: none.") from error
        except OSError as error:
            raise StorageError(
                f"Expected to read and write {self.url}/{key}. Received: {error.strerror or error}. "
                "Check the folder's rights and free space."
            ) from error


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


class BucketStore(Store):
    """A prefix of a Google Cloud Storage bucket, or of an emulator's."""

    def __init__(
        self, bucket: str, prefix: str = "", *, patience: float = PATIENCE_SECONDS, timeout: float = TIMEOUT_SECONDS
    ) -> None:
        self.prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self.url = f"gs://{bucket}/{self.prefix}".rstrip("/")
        self.patience = patience
        self.timeout = timeout
        self._bucket = _client().bucket(bucket)

    def read(self, key: str) -> tuple[bytes, Generation]:
        def request(timeout: float) -> tuple[bytes, Generation]:
            blob = self._blob(key)
            blob.reload(timeout=timeout, retry=None)
            generation = blob.generation
            data = blob.download_as_bytes(
                if_generation_match=generation, timeout=timeout, retry=None, checksum="crc32c"
            )
            return data, generation

        return self._repeat(key, request, retry_precondition=True)

    def put(self, source: BinaryIO, key: str, if_generation: Generation | None) -> Generation:
        token = uuid.uuid4().hex
        size = source.seek(0, os.SEEK_END)
        attempts = 0

        def request(timeout: float) -> Generation:
            nonlocal attempts
            attempts += 1
            source.seek(0)
            blob = self._blob(key)
            blob.metadata = {"writer": token}
            # The size makes objects up to 8 MiB one request; without it even a pointer would be a resumable upload,
            # whose condition fake-gcs-server ignores (Google's own heeds it in both).
            blob.upload_from_file(
                source, size=size, if_generation_match=if_generation, timeout=timeout, retry=None, checksum="crc32c"
            )
            _require_checksum(source, blob, f"{self.url}/{key}")
            return blob.generation

        try:
            return self._repeat(key, request, size=size)
        except PreconditionFailed as error:
            if attempts == 1:
                raise
            # An earlier attempt may have been done although its answer was lost.
            written = self._written_by(key, token)
            if written is None:
                raise Overtaken(str(error)) from error
            return written

    def download_file(self, key: str, path: Path) -> None:
        partial = Path(f"{path}.{uuid.uuid4().hex}.partial")
        size = self.describe(key)["size"]

        def request(timeout: float) -> None:
            blob = self._blob(key)
            blob.reload(timeout=timeout, retry=None)
            blob.download_to_filename(
                str(partial), if_generation_match=blob.generation, timeout=timeout, retry=None, checksum="crc32c"
            )

        try:
            self._repeat(key, request, retry_precondition=True, size=size)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    def describe(self, key: str) -> dict[str, Any]:
        blob = self._reload(key)
        modified = blob.updated.timestamp() if blob.updated else 0.0
        return {"size": blob.size, "crc32c": blob.crc32c, "generation": blob.generation, "modified": modified}

    def list(self, prefix: str = "") -> Names:
        def request(timeout: float) -> Names:
            blobs = self._bucket.list_blobs(prefix=self.prefix + prefix, timeout=timeout, retry=None)
            return sorted(blob.name.removeprefix(self.prefix) for blob in blobs)

        return self._repeat(prefix, request)

    def folders(self, prefix: str = "") -> Names:
        start = f"{self.prefix}{prefix.strip('/')}/" if prefix.strip("/") else self.prefix

        def request(timeout: float) -> Names:
            blobs = self._bucket.list_blobs(prefix=start, delimiter="/", timeout=timeout, retry=None)
            for _ in blobs.pages:  # the folders' names are known when every page has been read
                pass
            return sorted(name.removeprefix(start).rstrip("/") for name in blobs.prefixes)

        return self._repeat(prefix, request)

    def delete(self, key: str) -> None:
        with contextlib.suppress(NotFound):
            self._repeat(key, lambda timeout: self._blob(key).delete(timeout=timeout, retry=None))

    def _blob(self, key: str) -> Any:
        return self._bucket.blob(self.prefix + checked_key(key))

    def _reload(self, key: str) -> Any:
        def request(timeout: float) -> Any:
            blob = self._blob(key)
            blob.reload(timeout=timeout, retry=None)
            return blob

        return self._repeat(key, request)

    def _written_by(self, key: str, token: str) -> Generation | None:
        """Return the object's generation if the writer with this token wrote it."""
        try:
            blob = self._reload(key)
        except NotFound:
            return None
        return blob.generation if (blob.metadata or {}).get("writer") == token else None

    def _repeat(self, key: str, request: Callable[[float], T], *, retry_precondition: bool = False, size: int = 0) -> T:
        """Return what `request(timeout)` returns, repeated with jitter while the store is to blame.

        Args:
            key: What the request is about.
            request: Takes its own time limit, in seconds.
            retry_precondition: Repeat also when the object changed between two requests of one read.
            size: Bytes to move.
        """
        patience = self.patience + size / SLOWEST_BYTES_PER_SECOND
        deadline = time.monotonic() + patience
        for attempt in range(1_000_000):
            try:
                return request(max(0.1, min(self.timeout, deadline - time.monotonic())))
            except Exception as error:
                name = f"{self.url}/{key}"
                status = _status(error)
                moved = retry_precondition and status == 412
                if not (moved or _is_passing(error, status)):
                    raise _translated(error, status, name) from error
                pause = random.uniform(0, min(8.0, 0.1 * 2 ** min(attempt, 10)))
                if time.monotonic() + pause >= deadline:
                    raise Unreachable(
                        f"Expected an answer about {name} within {patience:g} s. "
                        f"Received: {type(error).__name__}: {error}"
                    ) from error
                time.sleep(pause)
        raise Unreachable(f"Expected an answer about {self.url}/{key}. Received: only failures.")


def _client() -> Any:
    """Return a storage client; an emulator needs no credentials."""
    from google.auth.credentials import AnonymousCredentials
    from google.auth.exceptions import DefaultCredentialsError
    from google.cloud import storage

    if os.environ.get("STORAGE_EMULATOR_HOST"):
        return storage.Client(project="emulator", credentials=AnonymousCredentials())
    try:
        return storage.Client()
    except DefaultCredentialsError as error:
        raise StorageError(
            f"Expected Google Cloud credentials. Received: {error} Run `gcloud auth application-default login`, "
            "or set STORAGE_EMULATOR_HOST for an emulator."
        ) from error


def _status(error: BaseException) -> int | None:
    """Return the HTTP status that an error stands for, if it does."""
    code = getattr(error, "code", None) or getattr(getattr(error, "response", None), "status_code", None)
    return int(code) if isinstance(code, int) else None


def _is_passing(error: Exception, status: int | None) -> bool:
    """Say whether a repetition may succeed."""
    import http.client

    import requests
    import urllib3
    from google.auth.exceptions import TransportError
    from google.cloud.storage.exceptions import DataCorruption

    broken = (requests.ConnectionError, requests.Timeout, requests.JSONDecodeError)
    garbled = (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError)
    kinds = (*broken, *garbled, urllib3.exceptions.HTTPError, http.client.HTTPException, ConnectionError)
    if isinstance(error, (*kinds, TransportError, DataCorruption, TimeoutError)):
        return True
    return status in _RETRYABLE_STATUS


def _translated(error: Exception, status: int | None, name: str) -> Exception:
    if status == 404:
        return NotFound(f"Expected an object at {name}. Received: none (or no such bucket).")
    if status == 412:
        return PreconditionFailed(f"Expected {name} in the state that was read. Received: {error}")
    if status in (401, 403):
        return StorageError(
            f"Expected to be allowed to use {name}. Received: HTTP {status}: {error}. "
            "Grant roles/storage.objectUser on the bucket to the account that runs this."
        )
    if status is not None:
        return StorageError(f"Expected an answer about {name}. Received: HTTP {status}: {error}")
    return error


def _require_checksum(source: BinaryIO, blob: Any, name: str) -> None:
    """Compare what the store says it holds with what was sent."""
    import base64

    import google_crc32c
    from google.cloud.storage.exceptions import DataCorruption

    source.seek(0)
    checksum = google_crc32c.Checksum()
    while block := source.read(1 << 20):
        checksum.update(block)
    expected = base64.b64encode(checksum.digest()).decode()
    if blob.crc32c != expected:
        raise DataCorruption(None, f"Expected CRC32C {expected} at {name}. Received: {blob.crc32c}")
