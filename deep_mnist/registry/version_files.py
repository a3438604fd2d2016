"""The numbered folders of a registry: numbers taken once, files with digests, what servers look for written last."""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from deep_mnist.registry.keyless import IDENTITY_TOKEN
from deep_mnist.registry.pointer import Promotion, RegistryError
from deep_mnist.registry.signature import SIGNATURE_FILE, SignatureError
from deep_mnist.registry.signing import KEY, NO_TRUST, VERSION_FILE, Trust
from deep_mnist.storage.store import (
    ABSENT,
    NotFoundError,
    PreconditionFailedError,
    StorageError,
    Store,
    checked_key,
    sha256_of_file,
)

SERVED_FILE = "saved_model.pb"
_FIX = "Roll back to another version, or restore the file."


class VersionFiles:
    """The version folders of one model, signed and verified as `trust` says."""

    def __init__(self, store: Store, name: str, trust: Trust = NO_TRUST) -> None:
        self.store, self.name, self.trust = store, name, trust

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
        """Write the version's files, what servers look for at the end; return the SHA-256 of version.json.

        Raises:
            SignatureError: It cannot be signed; nothing was written to the store.
        """
        files = {
            path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": sha256_of_file(path)}
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path not in (folder / VERSION_FILE, folder / SIGNATURE_FILE)
        }
        listing = {"format": 1, "name": self.name, "version": number, "files": files}
        data = (json.dumps(listing, indent=1) + "\n").encode()
        (folder / VERSION_FILE).write_bytes(data)
        self.trust.sign(folder)
        self.trust.verify(folder, self.name, number)
        self.store.upload_folder(folder, self._key(str(number)), last=SERVED_FILE)
        return hashlib.sha256(data).hexdigest()

    def download(self, promotion: Promotion, folder: Path, *, unsigned: bool = False) -> None:
        """Write a version's files to an empty `folder`, checked against the SHA-256 that the pointer names.

        Args:
            promotion: Names the version.
            folder: Where to.
            unsigned: Take a version without a signature where one is required, too.

        Raises:
            RegistryError: They are not what was promoted.
            SignatureError: They are not what a trusted key signed.
        """
        where = self.uri(promotion.version)
        data, _ = self.store.read(self._key(f"{promotion.version}/{VERSION_FILE}"))
        if hashlib.sha256(data).hexdigest() != promotion.files_sha256:
            raise RegistryError(f"Expected {where}/{VERSION_FILE} as promoted. Received: an altered file. Fix: {_FIX}")
        for name, digest in _listed(data, where).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            self.store.download_file(self._key(f"{promotion.version}/{name}"), path)
            received = sha256_of_file(path)
            if received != digest:
                raise RegistryError(f"Expected {where}/{name} with SHA-256 {digest}. Received: {received}. Fix: {_FIX}")
        (folder / VERSION_FILE).write_bytes(data)
        if self.trust.verifies and self.is_signed(promotion.version):
            self.store.download_file(self._key(f"{promotion.version}/{SIGNATURE_FILE}"), folder / SIGNATURE_FILE)
        trust = replace(self.trust, required=False) if unsigned else self.trust
        trust.verify(folder, self.name, promotion.version)

    def is_intact(self, promotion: Promotion, folder: Path) -> bool:
        """Return whether a downloaded folder still is what was promoted, and signed where it must be."""
        listing = folder / VERSION_FILE
        if not listing.is_file() or sha256_of_file(listing) != promotion.files_sha256:
            return False
        try:
            self.trust.verify(folder, self.name, promotion.version)
        except SignatureError:
            return False
        files = _listed(listing.read_bytes(), str(folder))
        return all((folder / name).is_file() and sha256_of_file(folder / name) == files[name] for name in files)

    def is_signed(self, version: int) -> bool:
        """Return whether a signature lies with a version, whoever made it."""
        return self.store.exists(self._key(f"{version}/{SIGNATURE_FILE}"))

    def require_key(self, champion: Promotion | None) -> None:
        """Refuse to follow a signed version by one that is not: a key that got lost is not passed over.

        Raises:
            SignatureError: There is neither key nor token, and signatures are required or the champion has one.
        """
        if self.trust.signs or not (self.trust.required or (champion and self.is_signed(champion.version))):
            return
        raise SignatureError(
            f"Expected a key to sign the next version of {self.name} with, or a token, as its champion is signed or "
            f"signatures are required. Received: none. Fix: --sign-key FILE or {KEY}, or {IDENTITY_TOKEN}"
        )

    def require_signed(self, promotion: Promotion) -> None:
        """Refuse to sign a copy of what nobody signed.

        Raises:
            SignatureError: There is a key or a token, and the version has no signature.
        """
        if self.trust.signs and not self.is_signed(promotion.version):
            raise SignatureError(
                f"Expected version {promotion.version} of {self.name} to be signed, as its copy will be. Received: no "
                "signature. Fix: Roll back to a signed version, or vouch for this one with --vouch-for-unsigned."
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


def _listed(data: bytes, where: str) -> dict[str, str]:
    """Return file name -> SHA-256 of a version.json; a name that leads out of the folder is refused."""
    try:
        return {checked_key(name): str(entry["sha256"]) for name, entry in json.loads(data)["files"].items()}
    except (ValueError, TypeError, KeyError, AttributeError, StorageError) as error:
        raise RegistryError(
            f"Expected files and their SHA-256 in {where}/{VERSION_FILE}. Received: {error}. Fix: {_FIX}"
        ) from None
