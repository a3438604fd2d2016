"""A prefix of a Google Cloud Storage bucket, through google-cloud-storage."""

from __future__ import annotations

import contextlib
import os
import random
import time
import uuid
from collections.abc import Callable
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
_RETRYABLE_STATUS = {408, 429, 500, 502, 503, 504}


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
        except PreconditionFailedError as error:
            if attempts == 1:
                raise
            # An earlier attempt may have been done although its answer was lost.
            written = self._written_by(key, token)
            if written is None:
                raise OvertakenError(str(error)) from error
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
        with contextlib.suppress(NotFoundError):
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
        except NotFoundError:
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
                    raise StoreUnreachableError(
                        f"Expected an answer about {name} within {patience:g} s. "
                        f"Received: {type(error).__name__}: {error}"
                    ) from error
                time.sleep(pause)
        raise StoreUnreachableError(f"Expected an answer about {self.url}/{key}. Received: only failures.")


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
        return NotFoundError(f"Expected an object at {name}. Received: none (or no such bucket).")
    if status == 412:
        return PreconditionFailedError(f"Expected {name} in the state that was read. Received: {error}")
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
