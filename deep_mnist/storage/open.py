"""Choose the store that an address names."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from deep_mnist.storage.address import is_store_address
from deep_mnist.storage.bucket import BucketStore
from deep_mnist.storage.folder import FolderStore
from deep_mnist.storage.gcs import GcsStore
from deep_mnist.storage.s3 import S3Store
from deep_mnist.storage.store import PATIENCE_SECONDS, TIMEOUT_SECONDS, NotFoundError, StorageError, Store

BUCKETS: dict[str, type[BucketStore]] = {store.scheme: store for store in (GcsStore, S3Store)}
_KNOWN = f"{', '.join(f'{scheme}://bucket/key' for scheme in BUCKETS)}, file:///path or a path"


def open_store(url: str, *, patience: float = PATIENCE_SECONDS, timeout: float = TIMEOUT_SECONDS) -> Store:
    """Return the store at a bucket's address, a `file://` URL or a folder's path; nothing is created yet.

    Args:
        url: `gs://bucket/prefix`, `s3://bucket/prefix`, `file:///folder` or a path.
        patience: Seconds after which repeated requests (or the wait for a folder's lock) are given up; large objects
            get a second more for each megabyte.
        timeout: Seconds after which one request is given up.

    Example:
        >>> import tempfile
        >>> store = open_store(tempfile.mkdtemp())
        >>> _ = store.write("champion", b"version 1")
        >>> store.read("champion")[0]
        b'version 1'
    """
    scheme, separator, rest = url.partition("://")
    if (url and not separator) or (scheme == "file" and rest):
        return FolderStore(_folder(url), patience=patience)
    bucket, _, prefix = rest.partition("/")
    if scheme in BUCKETS and bucket:
        return BUCKETS[scheme](bucket, prefix, patience=patience, timeout=timeout)
    raise StorageError(f"Expected {_KNOWN}. Received: {url!r}")


def fetch(url: str, destination: Path) -> None:
    """Write the object or local file at `url` to `destination`, whole or not at all.

    Raises:
        NotFoundError: There is no such object or file.
        StorageError: The address is of no store known here.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "mine.keras").write_bytes(b"a model")
        >>> fetch(f"file://{folder}/mine.keras", folder / "copy.keras")
        >>> (folder / "copy.keras").read_bytes()
        b'a model'
    """
    scheme, separator, rest = url.partition("://")
    if is_store_address(url):
        bucket, _, key = rest.partition("/")
        open_store(f"{scheme}://{bucket}").download_file(key, destination)
        return
    if separator and scheme != "file":
        raise StorageError(f"Expected {_KNOWN}. Received: {url!r}")
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
