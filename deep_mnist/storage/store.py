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
        """Return an object's bytes and the generation they belong to."""

    @abstractmethod
    def put(self, source: BinaryIO, key: str, if_generation: Generation | None) -> Generation:
        """Write a seekable stream as one object and return its generation."""

    @abstractmethod
    def download_file(self, key: str, path: Path) -> None:
        """Write an object to `path`, whole or not at all."""

    @abstractmethod
    def describe(self, key: str) -> dict[str, Any]:
        """Return size (bytes), checksum ("sha256:…", "crc32c:…" or "etag:…"), generation and modified (Unix time)."""

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
        except NotFoundError:
            return False
        return True

    def upload_folder(self, folder: Path, prefix: str, *, last: str = "") -> Names:
        """Write every file below `folder` under `prefix`, the file named `last` at the end; return the keys."""
        files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        names = sorted((path.relative_to(folder).as_posix() for path in files), key=lambda name: (name == last, name))
        for name in names:
            self.upload_file(Path(folder) / name, f"{prefix.rstrip('/')}/{name}")
        return [f"{prefix.rstrip('/')}/{name}" for name in names]


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
