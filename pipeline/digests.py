"""What identifies data and networks by their content, before a run starts."""

from __future__ import annotations

import hashlib
import secrets
import tempfile
from pathlib import Path

from deep_mnist.data.array_errors import ArrayFileError
from deep_mnist.data.arrays import find_arrays
from deep_mnist.data.known import KNOWN
from deep_mnist.data.sources import is_image_file
from deep_mnist.storage.address import is_address, is_store_address
from deep_mnist.storage.open import fetch, open_store
from deep_mnist.storage.store import StorageError, sha256_of_file
from pipeline.run_arguments import UsageError


def digest_of_data(dataset: str) -> str:
    """Return what identifies the data now, so that changed data never return an old result."""
    if dataset in KNOWN or "#sha256=" in dataset:
        return "pinned"
    if is_store_address(dataset):
        if Path(dataset).suffix == ".npz" or is_image_file(dataset):
            folder, _, name = dataset.rpartition("/")
            return _digest(str(open_store(folder).describe(name)))
        store = open_store(dataset)
        return _digest(*(str(store.describe(name)) for name in sorted(store.list(""))))
    if is_address(dataset):
        return secrets.token_hex(8)  # who serves it may change it at any time: always fetched anew
    path = Path(dataset)
    if not path.is_dir():
        return _digest(f"{path.name} {sha256_of_file(path)}")
    files = sorted(each for each in path.glob("*" if _holds_arrays(path) else "**/*") if each.is_file())
    return _digest(*(f"{each.relative_to(path)} {sha256_of_file(each)}" for each in files))


def _holds_arrays(folder: Path) -> bool:
    """Return whether the data lie in the folder itself; images lie in folders below."""
    try:
        return bool(find_arrays(folder))
    except ArrayFileError:
        return True


def digest_of_file(address: str, name: str) -> str:
    """Return the SHA-256 of a user's own file, by a path or an address; the steps demand the same one.

    Args:
        address: "" and a folder have none.
        name: Of the option, for the error.

    Raises:
        UsageError: It cannot be read.
    """
    if not address or Path(address).is_dir():  # a folder is no network that can be trained, as validate will say
        return ""
    if not is_address(address):
        return sha256_of_file(Path(address))
    with tempfile.TemporaryDirectory() as folder:
        try:
            fetch(address, Path(folder) / "fetched")
        except StorageError as error:
            raise UsageError(f"Expected to read {name}={address}. Received: {error}") from error
        return sha256_of_file(Path(folder) / "fetched")


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
