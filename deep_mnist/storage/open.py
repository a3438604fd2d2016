"""Choose the store that an address names."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from deep_mnist.storage.folder import FolderStore
from deep_mnist.storage.gcs import BucketStore
from deep_mnist.storage.store import PATIENCE_SECONDS, TIMEOUT_SECONDS, NotFoundError, StorageError, Store


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
        raise NotFoundError(f"Expected a file at {path}. Received: {'a folder' if path.is_dir() else 'nothing'}.")
    open_store(str(path.parent)).download_file(path.name, destination)


def _folder(url: str) -> Path:
    if not url.startswith("file://"):
        return Path(url).expanduser()
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise StorageError(f"Expected file:///absolute/path. Received: {url!r}, which names the host {parts.netloc!r}.")
    return Path(unquote(parts.path))
