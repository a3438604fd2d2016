"""The numbered folders of a registry: numbers taken once, files with digests, what servers look for written last."""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Sequence
from pathlib import Path

from deep_mnist.registry.pointer import Promotion, RegistryError
from deep_mnist.storage.store import ABSENT, NotFoundError, PreconditionFailedError, Store, sha256_of_file

VERSION_FILE = "version.json"
SERVED_FILE = "saved_model.pb"
_FIX = "Roll back to another version, or restore the file."


class VersionFiles:
    """The version folders of one model."""

    def __init__(self, store: Store, name: str) -> None:
        self.store, self.name = store, name

    def uri(self, version: int) -> str:
        """Return the address of a version's folder."""
        return f"{self.store.url}/{self.name}/{version}"

    def claim(self, run: str) -> int:
        """Return a number that nobody has and nobody else will get."""
        taken = [int(key.rpartition("/")[2]) for key in self.store.list(self._key("claims/"))]
        number, collisions = max([0, *taken, *self.numbers()]), 0
        while True:
            # Alone, the next number; in a crowd, strides that spread it out.
            number += random.randint(1, 1 + collisions)
            try:
                self.store.write(self._key(f"claims/{number}"), f"{run}\n".encode(), if_generation=ABSENT)
            except PreconditionFailedError:
                collisions += 1
                continue
            return number

    def upload(self, folder: Path, number: int) -> str:
        """Write the version's files, what servers look for at the end; return the SHA-256 of version.json."""
        files = {
            path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": sha256_of_file(path)}
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != VERSION_FILE
        }
        data = (json.dumps({"format": 1, "version": number, "files": files}, indent=1) + "\n").encode()
        (folder / VERSION_FILE).write_bytes(data)
        self.store.upload_folder(folder, self._key(str(number)), last=SERVED_FILE)
        return hashlib.sha256(data).hexdigest()

    def download(self, promotion: Promotion, folder: Path) -> None:
        """Write a version's files to `folder`, each checked against the SHA-256 that the pointer names."""
        key = self._key(f"{promotion.version}/{VERSION_FILE}")
        data, _ = self.store.read(key)
        where = self.uri(promotion.version)
        if hashlib.sha256(data).hexdigest() != promotion.files_sha256:
            raise RegistryError(f"Expected {where}/{VERSION_FILE} as promoted. Received: an altered file. Fix: {_FIX}")
        for name, entry in json.loads(data)["files"].items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            self.store.download_file(self._key(f"{promotion.version}/{name}"), path)
            received = sha256_of_file(path)
            if received != entry["sha256"]:
                raise RegistryError(
                    f"Expected {where}/{name} with SHA-256 {entry['sha256']}. Received: {received}. Fix: {_FIX}"
                )

    def withdraw(self, number: int) -> None:
        """Take an unpromoted version away, what servers look for first."""
        keys = self.store.list(self._key(f"{number}/"))
        for key in sorted(keys, key=lambda key: not key.endswith(f"/{SERVED_FILE}")):
            self.store.delete(key)

    def age(self, number: int) -> float:
        """Return the seconds since a number was claimed; without a claim, none of ours wrote it."""
        try:
            return time.time() - float(self.store.describe(self._key(f"claims/{number}"))["modified"])
        except NotFoundError:
            return 0.0

    def numbers(self) -> Sequence[int]:
        return sorted(int(name) for name in self.store.folders(self.name) if name.isdecimal())

    def _key(self, key: str) -> str:
        return f"{self.name}/{key}"
