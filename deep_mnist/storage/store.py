"""Objects in `gs://` and `s3://` buckets and in plain folders, with the same conditional writes.

    store = open_store("gs://bucket/models")            # or "s3://bucket/models", "file:///srv/models", "./registry"
    data, generation = store.read("mnist/champion.json")
    store.write("mnist/champion.json", data, if_generation=generation)   # PreconditionFailedError if it moved

A generation names one state of one object: an integer in `gs://`, an ETag in `s3://`, the SHA-256 of the bytes in a
folder. `if_generation=0` means "must not exist". A reader sees a whole object or none, at any
moment and whichever process is killed; the last step of a write is one rename or one request.

A bucket's requests carry checksums (CRC32C, or SHA-256 and MD5) and are repeated, with jitter, until `patience` seconds
have passed. A conditional write whose response was lost is recognised by the token that it wrote, so
a repetition is neither lost nor done twice; only when somebody overwrote it before that can nobody say,
and then `OvertakenError` does. `STORAGE_EMULATOR_HOST` names an emulator of `gs://`, `AWS_ENDPOINT_URL_S3` a server of `s3://`.

Errors:
    StorageError(OSError)        something else: no rights, no space, a bad address
    ├── NotFoundError            no such object
    ├── PreconditionFailedError  the object is not in the state that the caller named
    │   └── OvertakenError       …and this write may have been done before somebody else's; look in the content
    └── StoreUnreachableError    the store did not respond within the patience
"""

from __future__ import annotations

import hashlib
import io
from abc import ABC, abstractmethod
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

Generation = int | str
Names = list[str]

ABSENT: Generation = 0
PATIENCE_SECONDS = 120.0
TIMEOUT_SECONDS = 30.0


class StorageError(OSError):
    """A store that cannot do what was requested."""

    fix = "check the address, its rights and its free space"


class NotFoundError(StorageError):
    """No object has this key."""

    fix = "check the address, and run again what writes it"


class PreconditionFailedError(StorageError):
    """The object is not in the state that `if_generation` names."""

    fix = "run it again: another process changed the object in between"


class OvertakenError(PreconditionFailedError):
    """The object moved on, and an attempt whose response was lost may have been one of its states."""

    fix = "look into the object: another process wrote it after this one"


class StoreUnreachableError(StorageError):
    """The store did not respond within the patience; a write may or may not have been done."""

    fix = "check the network and the store, then run it again"


class Store(ABC):
    """What a bucket and a folder have in common. Keys are relative, with `/`."""

    url: str

    @abstractmethod
    def read(self, key: str) -> tuple[bytes, Generation]:
        """Return an object's bytes and the generation they belong to.

        Raises:
            NotFoundError: No object has this key.
            StoreUnreachableError: The store did not respond within the patience.

        >>> import tempfile
        >>> from deep_mnist.storage.open import open_store
        >>> store = open_store(tempfile.mkdtemp())
        >>> written = store.write("mnist/champion.json", b"{}")
        >>> data, generation = store.read("mnist/champion.json")
        >>> data, generation == written
        (b'{}', True)
        """

    @abstractmethod
    def read_range(self, key: str, start: int, size: int) -> bytes:
        """Return up to `size` bytes of an object from `start` on, fewer at its end; no checksum of the store's tells.

        Raises:
            StorageError: As `read`.

        >>> import tempfile
        >>> from deep_mnist.storage.open import open_store
        >>> store = open_store(tempfile.mkdtemp())
        >>> _ = store.write("digits.npy", b"pixels")
        >>> store.read_range("digits.npy", 3, 100)
        b'els'
        """

    @abstractmethod
    def put(self, source: BinaryIO, key: str, if_generation: Generation | None) -> Generation:
        """Write a seekable stream as one object and return its generation.

        Args:
            source: Bytes from its position on.
            key: Relative, with `/`.
            if_generation: The generation that the object must have, ABSENT for none; None: whatever is there.

        Raises:
            PreconditionFailedError: The object has another generation.
            OvertakenError: It has, and this write may have been done before.

        >>> import tempfile
        >>> from deep_mnist.storage.open import open_store
        >>> store = open_store(tempfile.mkdtemp())
        >>> generation = store.put(io.BytesIO(b"1"), "count", ABSENT)
        >>> store.put(io.BytesIO(b"1"), "count", ABSENT)
        Traceback (most recent call last):
        ...
        deep_mnist.storage.store.PreconditionFailedError: ...
        """

    @abstractmethod
    def download_file(self, key: str, path: Path) -> None:
        """Write an object to `path`, whole or not at all.

        Raises:
            NotFoundError: No object has this key; `path` is as before.

        >>> import tempfile
        >>> from deep_mnist.storage.open import open_store
        >>> store = open_store(tempfile.mkdtemp())
        >>> _ = store.write("digits.npy", b"pixels")
        >>> path = Path(tempfile.mkdtemp()) / "digits.npy"
        >>> store.download_file("digits.npy", path)
        >>> path.read_bytes()
        b'pixels'
        """

    @abstractmethod
    def describe(self, key: str) -> dict[str, Any]:
        """Return size (bytes), checksum ("sha256:…", "crc32c:…" or "etag:…"), generation and modified (Unix time).

        Raises:
            NotFoundError: No object has this key.

        >>> import tempfile
        >>> from deep_mnist.storage.open import open_store
        >>> store = open_store(tempfile.mkdtemp())
        >>> _ = store.write("digits.npy", b"pixels")
        >>> facts = store.describe("digits.npy")
        >>> facts["size"], facts["checksum"][:14]
        (6, 'sha256:6ec9c2b')
        """

    @abstractmethod
    def list(self, prefix: str = "") -> Names:
        """Return the sorted keys that start with `prefix`, which need not end at a `/`.

        >>> import tempfile
        >>> from deep_mnist.storage.open import open_store
        >>> store = open_store(tempfile.mkdtemp())
        >>> _ = store.write("mnist/1/model", b""), store.write("mnist/10/model", b""), store.write("other", b"")
        >>> store.list("mnist/1")
        ['mnist/1/model', 'mnist/10/model']
        """

    @abstractmethod
    def folders(self, prefix: str = "") -> Names:
        """Return the sorted names of the folders directly in the folder `prefix`.

        >>> import tempfile
        >>> from deep_mnist.storage.open import open_store
        >>> store = open_store(tempfile.mkdtemp())
        >>> _ = store.write("mnist/1/model", b""), store.write("mnist/2/assets/a", b""), store.write("mnist/log", b"")
        >>> store.folders("mnist")
        ['1', '2']
        """

    @abstractmethod
    def delete(self, key: str) -> None:
        """Remove an object; an absent one is no error.

        >>> import tempfile
        >>> from deep_mnist.storage.open import open_store
        >>> store = open_store(tempfile.mkdtemp())
        >>> store.delete("was never here")
        """

    def write(self, key: str, data: bytes, *, if_generation: Generation | None = None) -> Generation:
        """Write bytes as one object and return its generation; the conditions and errors are those of `put`.

        >>> import tempfile
        >>> from deep_mnist.storage.open import open_store
        >>> store = open_store(tempfile.mkdtemp())
        >>> first = store.write("champion", b"version 1", if_generation=ABSENT)
        >>> second = store.write("champion", b"version 2", if_generation=first)
        >>> store.read("champion")[0]
        b'version 2'
        """
        return self.put(io.BytesIO(data), key, if_generation)

    def upload_file(self, path: Path, key: str, *, if_generation: Generation | None = None) -> Generation:
        """Write a file as one object and return its generation; the conditions and errors are those of `put`.

        >>> import tempfile
        >>> from deep_mnist.storage.open import open_store
        >>> store = open_store(tempfile.mkdtemp())
        >>> path = Path(tempfile.mkdtemp()) / "digits.npy"
        >>> _ = path.write_bytes(b"pixels")
        >>> generation = store.upload_file(path, "data/digits.npy")
        >>> store.list()
        ['data/digits.npy']
        """
        with Path(path).open("rb") as source:
            return self.put(source, key, if_generation)

    def exists(self, key: str) -> bool:
        """Return whether an object has this key.

        >>> import tempfile
        >>> from deep_mnist.storage.open import open_store
        >>> store = open_store(tempfile.mkdtemp())
        >>> store.exists("champion")
        False
        """
        try:
            self.describe(key)
        except NotFoundError:
            return False
        return True

    def upload_folder(self, folder: Path, prefix: str, *, last: str = "") -> Names:
        """Write every file below `folder` under `prefix`, the file named `last` at the end; return the keys.

        >>> import tempfile
        >>> from deep_mnist.storage.open import open_store
        >>> store = open_store(tempfile.mkdtemp())
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("a", "b", "c"):
        ...     _ = (folder / name).write_text(name)
        >>> store.upload_folder(folder, "model/1", last="a")
        ['model/1/b', 'model/1/c', 'model/1/a']
        """
        files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        names = sorted((path.relative_to(folder).as_posix() for path in files), key=lambda name: (name == last, name))
        for name in names:
            self.upload_file(Path(folder) / name, f"{prefix.rstrip('/')}/{name}")
        return [f"{prefix.rstrip('/')}/{name}" for name in names]


def sha256_of_file(path: Path) -> str:
    """Return the hex SHA-256 of a file's bytes, read in constant memory.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "empty"
    >>> path.touch()
    >>> sha256_of_file(path)[:16]
    'e3b0c44298fc1c14'
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def checked_key(key: str) -> str:
    """Return `key` if it is relative and stays where it is put.

    Raises:
        StorageError: It is absolute, or leads elsewhere.

    >>> checked_key("mnist/champion.json")
    'mnist/champion.json'
    >>> checked_key("../secrets")
    Traceback (most recent call last):
    ...
    deep_mnist.storage.store.StorageError: Expected a relative key ... Received: '../secrets'
    """
    parts = PurePosixPath(key).parts
    if not key or key != "/".join(parts) or key.startswith("/") or {".", ".."} & set(parts) or "\0" in key:
        raise StorageError(f"Expected a relative key without '.', '..' or empty parts. Received: {key!r}")
    return key
