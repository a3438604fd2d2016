"""A prefix of a Google Cloud Storage bucket, through google-cloud-storage."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO

from deep_mnist.storage.bucket import RETRYABLE_STATUS, WRITER, BucketStore, CorruptTransferError, Fault, Head
from deep_mnist.storage.store import PATIENCE_SECONDS, TIMEOUT_SECONDS, Generation, Names, StorageError

NO_BUCKET_METADATA = "DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA"


class GcsStore(BucketStore):
    """A prefix of a Google Cloud Storage bucket, or of an emulator's; a generation is the object's own."""

    scheme = "gs"
    rights = "Grant roles/storage.objectUser on the bucket to the account that runs this."

    def __init__(
        self, bucket: str, prefix: str = "", *, patience: float = PATIENCE_SECONDS, timeout: float = TIMEOUT_SECONDS
    ) -> None:
        super().__init__(bucket, prefix, patience=patience, timeout=timeout)
        self._bucket = _client().bucket(bucket)

    def _read_once(self, name: str) -> tuple[bytes, Generation]:
        generation = self._reload(name).generation
        data = self._bucket.blob(name).download_as_bytes(
            if_generation_match=generation, timeout=self.timeout, retry=None, checksum="crc32c"
        )
        return data, generation

    def _read_range_once(self, name: str, start: int, size: int) -> bytes:
        data: bytes = self._bucket.blob(name).download_as_bytes(
            start=start, end=start + size - 1, timeout=self.timeout, retry=None, checksum=None
        )
        return data

    def _download_once(self, name: str, path: Path) -> None:
        generation = self._reload(name).generation
        self._bucket.blob(name).download_to_filename(
            str(path), if_generation_match=generation, timeout=self.timeout, retry=None, checksum="crc32c"
        )

    def _put_once(
        self, source: BinaryIO, name: str, size: int, if_generation: Generation | None, token: str
    ) -> Generation:
        blob = self._bucket.blob(name)
        blob.metadata = {WRITER: token}
        # The size makes objects up to 8 MiB one request; without it even a pointer would be a resumable upload,
        # whose condition fake-gcs-server ignores (Google's own heeds it in both).
        blob.upload_from_file(
            source, size=size, if_generation_match=if_generation, timeout=self.timeout, retry=None, checksum="crc32c"
        )
        _require_checksum(source, blob, f"{self.scheme}://{self.bucket}/{name}")
        generation: int = blob.generation
        return generation

    def _head_once(self, name: str) -> Head:
        blob = self._reload(name)
        modified = blob.updated.timestamp() if blob.updated else 0.0
        writer = (blob.metadata or {}).get(WRITER, "")
        return Head(blob.size, f"crc32c:{blob.crc32c}", blob.generation, modified, writer)

    def _list_once(self, start: str) -> Names:
        return [blob.name for blob in self._bucket.list_blobs(prefix=start, timeout=self.timeout, retry=None)]

    def _folders_once(self, start: str) -> Names:
        blobs = self._bucket.list_blobs(prefix=start, delimiter="/", timeout=self.timeout, retry=None)
        for _ in blobs.pages:  # the folders' names are known when every page has been read
            pass
        return [name.removeprefix(start).rstrip("/") for name in blobs.prefixes]

    def _delete_once(self, name: str) -> None:
        self._bucket.blob(name).delete(timeout=self.timeout, retry=None)

    def _reload(self, name: str) -> Any:
        """Return what the bucket says of an object, its media link included.

        Downloads do not take that one: it holds the address by which an emulator knows itself, which a port-forward to
        it does not have.
        """
        blob = self._bucket.blob(name)
        blob.reload(timeout=self.timeout, retry=None)
        return blob

    def _fault(self, error: Exception) -> Fault | None:
        import http.client

        import requests
        import urllib3
        from google.auth.exceptions import TransportError
        from google.cloud.storage.exceptions import DataCorruption

        broken = (requests.ConnectionError, requests.Timeout, requests.JSONDecodeError)
        garbled = (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError)
        kinds = (*broken, *garbled, urllib3.exceptions.HTTPError, http.client.HTTPException, ConnectionError)
        if isinstance(error, (*kinds, TransportError, DataCorruption, CorruptTransferError, TimeoutError)):
            return Fault(0, passing=True)
        status = getattr(error, "code", None) or getattr(getattr(error, "response", None), "status_code", None)
        if not isinstance(status, int):
            return None
        missing = status == 404 and "bucket does not exist" in str(error)
        return Fault(int(status), int(status) in RETRYABLE_STATUS, missing)


def _client() -> Any:
    """Return a storage client; an emulator needs no credentials."""
    from google.auth.credentials import AnonymousCredentials
    from google.auth.exceptions import DefaultCredentialsError
    from google.cloud import storage

    # Else every client asks for the bucket itself, in a thread, for traces that nobody collects: it needs a right more.
    os.environ.setdefault(NO_BUCKET_METADATA, "true")
    if os.environ.get("STORAGE_EMULATOR_HOST"):
        return storage.Client(project="emulator", credentials=AnonymousCredentials())
    try:
        return storage.Client()
    except DefaultCredentialsError as error:
        raise StorageError(
            f"Expected Google Cloud credentials. Received: {error} Fix: Run `gcloud auth application-default login`, "
            "or set STORAGE_EMULATOR_HOST for an emulator."
        ) from error


def _require_checksum(source: BinaryIO, blob: Any, name: str) -> None:
    """Compare what the store says it holds with what was sent."""
    import base64

    import google_crc32c

    source.seek(0)
    checksum = google_crc32c.Checksum()  # type: ignore[no-untyped-call]
    while block := source.read(1 << 20):
        checksum.update(block)  # type: ignore[no-untyped-call]
    expected = base64.b64encode(checksum.digest()).decode()  # type: ignore[no-untyped-call]
    if blob.crc32c != expected:
        raise CorruptTransferError(f"Expected CRC32C {expected} at {name}. Received: {blob.crc32c}")
