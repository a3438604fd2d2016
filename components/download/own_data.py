"""The user's own data: arrays come as they are, images of any known format become arrays."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from deep_mnist.data.array_errors import ArrayFileError
from deep_mnist.data.arrays import find_arrays, find_further, slot_of
from deep_mnist.data.dataset import CONTRACT_FILE, SHARDS_FILE
from deep_mnist.data.faults_file import FAULTS_FILE, write_faults
from deep_mnist.data.fetch_known import DownloadError, fetch_cached
from deep_mnist.data.known import IDX_NAMES, KNOWN
from deep_mnist.data.raw import MAX_EXAMPLES, MissingPackageError, RawData
from deep_mnist.data.shards.shard_set import ShardSet
from deep_mnist.data.sources import is_image_file, recognize
from deep_mnist.data.transfer import TOTAL_SECONDS, SourceUnreachableError, TransferError, split_pin
from deep_mnist.data.unrecognized import not_recognized
from deep_mnist.storage.address import store_schemes
from deep_mnist.storage.open import fetch, open_store
from deep_mnist.storage.store import Store, sha256_of_file

ARRAY_ENDINGS = (".npy", ".npz", ".gz", "-ubyte", CONTRACT_FILE)  # what a user tells of the network comes along
# What is requested of a folder at an https:// address, in order of preference.
REMOTE_NAMES = (
    {name: f"{name}.npy" for name in IDX_NAMES},
    IDX_NAMES,
    {name: file.removesuffix(".gz") for name, file in IDX_NAMES.items()},
)
ClassNames = tuple[str, ...]


def fetch_https_data(url: str, folder: Path) -> ClassNames:
    """Write what lies at an https:// address to `folder`: one file, or a folder of arrays; return the class names."""
    address, pin = split_pin(url)
    deadline = time.monotonic() + TOTAL_SECONDS
    name = Path(urlsplit(address).path).name
    if name.endswith(".npz"):
        _fetch_file(url, folder / name, deadline)
        return ()
    if is_image_file(name):
        with tempfile.TemporaryDirectory() as work:
            _fetch_file(url, Path(work) / name, deadline)
            return _convert(Path(work) / name, url, folder)
    if pin:
        raise DownloadError(f"Expected #sha256= only after the address of one file. Received: {url}.")
    _fetch_array_files(address, folder, deadline)
    return ()


def _fetch_file(url: str, destination: Path, deadline: float) -> None:
    address, pin = split_pin(url)
    fetch_cached(url, destination, deadline)
    if not pin:
        print(f"download: to pin these bytes, write {address}#sha256={sha256_of_file(destination)}", flush=True)


def _fetch_array_files(address: str, folder: Path, deadline: float) -> None:
    reasons = []
    for names in REMOTE_NAMES:
        try:
            return _fetch_set(address.rstrip("/"), names, folder, deadline)
        except TransferError as error:
            reasons.append(str(error))
            if isinstance(error, SourceUnreachableError):
                break
    raise DownloadError(
        f"Expected one .npz, .csv(.gz) or .parquet, or a folder of train_images.npy … or "
        f"train-images-idx3-ubyte(.gz) …, at {address}. Received: {'; '.join(reasons)}"
    )


def _fetch_set(base: str, names: Mapping[str, str], folder: Path, deadline: float) -> None:
    for name, file in names.items():
        try:
            fetch_cached(f"{base}/{file}", folder / file, deadline)
        except TransferError:
            if name.startswith("train"):
                raise
            return  # a test split is not required


def fetch_bucket(url: str, folder: Path) -> ClassNames:
    """Write what lies in a bucket, one file or all below a prefix, to `folder`; return the class names."""
    name = url.rpartition("/")[2]
    if is_image_file(name):
        with tempfile.TemporaryDirectory() as work:
            fetch(url, Path(work) / name)
            return _convert(Path(work) / name, url, folder)
    if url.endswith(ARRAY_ENDINGS):
        fetch(url, folder / name)
        return ()
    store = open_store(url)
    if store.exists(SHARDS_FILE):
        return point_at_shards(url, folder)
    names = store.list("")
    arrays = [each for each in names if each.endswith(ARRAY_ENDINGS) and "/" not in each and not is_image_file(each)]
    if any(slot_of(each) or each.endswith(".npz") for each in arrays):
        for each in arrays:
            store.download_file(each, folder / each)
        return ()
    with tempfile.TemporaryDirectory() as work:
        _fetch_tree(store, names, Path(work))
        return _convert(Path(work), url, folder)


def _fetch_tree(store: Store, names: list[str], work: Path) -> None:
    if len(names) > MAX_EXAMPLES:
        raise DownloadError(f"Expected at most {MAX_EXAMPLES} objects. Received: {len(names)}.")
    for name in names:
        path = work / name
        if not path.resolve().is_relative_to(work.resolve()) or name.endswith("/"):
            continue  # a key that leaves the folder, or the mark of an empty one
        path.parent.mkdir(parents=True, exist_ok=True)
        store.download_file(name, path)


def copy_own(path: Path, source: str, folder: Path) -> ClassNames:
    """Copy the arrays at a path of this machine to `folder`, or read its images into it; return the class names."""
    if not path.exists():
        known = ", ".join(KNOWN)
        raise DownloadError(
            f"Expected a known dataset ({known}), a folder, or a {store_schemes()} or https:// address. "
            f"Received: {source!r}, "
            f"and no folder or file of that name."
        )
    if (path / SHARDS_FILE).is_file():
        return point_at_shards(str(path.absolute()), folder)
    try:
        if path.suffix == ".npz" and path.is_file():
            shutil.copyfile(path, folder / path.name)
            return ()
        if not (path.is_dir() and find_arrays(path)):
            return _convert(path, str(path), folder)
        for each in sorted(path.iterdir()):
            if each.name.endswith(ARRAY_ENDINGS):
                _copy_file(each, folder)
    except OSError as error:
        raise DownloadError(
            f"Expected to read {path}. Received: {error}. Fix: check the files and their rights"
        ) from error
    return ()


def require_arrays(folder: Path, source: str) -> None:
    """Refuse arrays of which none has a name that says what it is.

    Args:
        folder: To which they were brought.
        source: What the user calls them.

    Raises:
        DownloadError: There are such arrays alone; the message names them.
    """
    told_otherwise = any((folder / name).is_file() for name in (SHARDS_FILE, FAULTS_FILE))
    try:
        if told_otherwise or find_arrays(folder) or find_further(folder):
            return
    except ArrayFileError:  # which the doctor tells
        return
    raise DownloadError(not_recognized(folder, source))


def point_at_shards(address: str, folder: Path) -> ClassNames:
    """Write the manifest of shards that stay where they are, and what lies beside it of the network's contract."""
    store = open_store(address)
    shards = ShardSet.from_json(store.read(SHARDS_FILE)[0], address)
    (folder / SHARDS_FILE).write_text(replace(shards, at=shards.store().url).to_json())
    if store.exists(CONTRACT_FILE):
        store.download_file(CONTRACT_FILE, folder / CONTRACT_FILE)
    print(f"download: {len(shards.splits.get('train', ()))} shards stay at {shards.store().url}", flush=True)
    return shards.class_names


def _copy_file(path: Path, folder: Path) -> None:
    """Copy one file of a folder; what has the name of an array and is no file is no split that may be left out."""
    if path.is_file():
        shutil.copyfile(path, folder / path.name)
    elif slot_of(path.name) or path.name.endswith(".npz"):
        kind = "a link to nothing" if path.is_symlink() and not path.exists() else "a folder or a device"
        raise DownloadError(
            f"Expected a regular file {path.name} in {path.parent}. Received: {kind}. "
            "Fix: put the array there, or take the name away"
        )


# --- images ----------------------------------------------------------------------------------------------------


def _convert(path: Path, source: str, folder: Path) -> ClassNames:
    """Write the images at `path` as arrays to `folder`; or, when one cannot be read, why, for the doctor to tell."""
    raw = _read(path, source)
    if raw.faults:
        write_faults(folder, raw.faults)
    else:
        _write_arrays(raw, folder)
    for split, faults in raw.faults.items():
        for error in faults.values():
            print(f"download: {split}: {error}", flush=True)
    if path.is_dir() and (path / CONTRACT_FILE).is_file():
        shutil.copyfile(path / CONTRACT_FILE, folder / CONTRACT_FILE)
    return raw.class_names


def _write_arrays(raw: RawData, folder: Path) -> None:
    for part, arrays in (("images", raw.images), ("labels", raw.labels)):
        for split, array in arrays.items():
            np.save(folder / f"{split}_{part}.npy", array, allow_pickle=False)
            print(f"download: {split}_{part} {array.dtype} {array.shape}", flush=True)


def _read(path: Path, source: str) -> RawData:
    try:
        read = recognize(path)
        if read is None:
            raise DownloadError(not_recognized(path, source))
        return read()
    except (ArrayFileError, MissingPackageError) as error:
        raise DownloadError(str(error)) from error
