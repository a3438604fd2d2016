"""Turn raw pixels and labels into exactly what the network's contract asks for, and record what was done.

Raw is what MNIST's files hold: uint8 images (n, rows, columns) and integer labels (n,). Data of any other form
have been prepared by the user already: they are passed on unchanged, for changing them would hide the fault that
`validate` exists to name.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from components.preprocess.forms import (
    Arrays,
    as_it_is,
    convert_labels,
    forms,
    is_raw,
    record_as_prepared,
    record_of_raw,
    shape_for,
)
from components.preprocess.relabel import Corrections, read_corrections, rewrite_prepared
from components.preprocess.sharding import Cut, write_sharded
from deep_mnist.contract.contract import Contract
from deep_mnist.contract.folder import ACCEPT, write_contract
from deep_mnist.data.array_errors import ArrayFileError
from deep_mnist.data.arrays import find_arrays
from deep_mnist.data.dataset import (
    RULES_FILE,
    Dataset,
    DatasetError,
    Preprocessing,
    open_dataset,
    seal_dataset,
    sha256_of_array,
)
from deep_mnist.data.stratify import VALIDATION_FRACTION, held_out_rows
from deep_mnist.doctor.case import NotUsableError
from deep_mnist.doctor.settings import read_settings, with_folder_settings
from deep_mnist.export import network_input
from deep_mnist.storage.open import fetch
from deep_mnist.storage.store import sha256_of_file

PREPARATIONS = ("auto", "contract", "none")
CHUNK = 8192  # images converted at a time: 25 MB of float32 at 28x28
# A user's data without a test split gives up this share of its examples, drawn like the validation split.
TEST_FRACTION = 1 / 7


def preprocess_dataset(
    raw: Path,
    contract: Contract,
    folder: Path,
    *,
    source: str = "",
    preparation: str = "auto",
    validation_fraction: float = VALIDATION_FRACTION,
    seed: int = 0,
    rules: str = "",
    rules_digest: str = "",
    labels: str = "",
    labels_digest: str = "",
    shard_bytes: int = 0,
    shards: str = "",
) -> Dataset:
    """Write the dataset that `contract` asks for to `folder` and return it.

    Args:
        raw: Folder written by download.
        contract: What the network demands of images and labels; a contract.json beside the raw data adds to it.
        folder: Receives {train,validation,test}_{images,labels}.npy, the whole contract, the manifest with the record.
        source: The dataset's name or address, for the record.
        preparation: "contract" converts raw data; "none" changes nothing but the split; "auto" is "contract" for
            raw data (and the contract's own wish otherwise) and passes on what is not raw.
        validation_fraction: Share of each class's training examples set apart, 0 < f < 0.5.
        seed: Of the stratified split.
        rules: Path or address of a Python file with rules of the user's own, which goes into the dataset; "" for none.
        rules_digest: SHA-256 that this file must have, or "".
        labels: Path or address of a labels.yaml, what people decided about single labels; "" for none.
        labels_digest: SHA-256 that this file must have, or "".
        shard_bytes: Training examples of more bytes than this are written as shards of at most so many; 0 for never.
        shards: Address of the store for the shards; "" for a folder in the dataset's own.

    Raises:
        DatasetError: Raw data that cannot be converted, a parameter out of range, a file with another digest.
    """
    if preparation not in PREPARATIONS:
        raise DatasetError(f"Expected preparation to be one of {PREPARATIONS}. Received: {preparation!r}.")
    if not 0 < validation_fraction < 0.5:
        raise DatasetError(f"Expected 0 < validation_fraction < 0.5. Received: {validation_fraction}.")
    opened = open_dataset(raw, written_by="download")
    settings = _settings(raw)
    contract = with_folder_settings(contract, settings)
    chosen: dict[str, Any] = {"source": source, "split_seed": seed, "validation_fraction": validation_fraction}
    folder.mkdir(parents=True, exist_ok=True)
    arrays = _read(raw)
    corrections = read_corrections(labels, labels_digest)
    corrections.look(arrays or {})
    chosen["label_changes"] = corrections.to_dict()
    if labels:
        print(f"preprocess: labels.yaml: {_told(corrections)}", flush=True)
    cut = Cut(raw, arrays or {}, preparation, shard_bytes, shards)
    if cut.applies():
        if labels:
            raise DatasetError(
                "Expected labels.yaml for data in one piece. Received: data that are written as shards. "
                "Fix: apply it first (shard_bytes=0), or correct the labels of the source"
            )
        record = write_sharded(cut, opened, contract, folder, **chosen)
    elif arrays is None or (preparation == "auto" and not is_raw(arrays)):
        record = _pass_on(opened, contract, folder, **chosen)
        rewrite_prepared(folder, arrays or {}, corrections)
    else:
        record = _convert(arrays, contract, folder, preparation, corrections, **chosen)
    write_contract(folder, contract, settings.get(ACCEPT) or ())
    (folder / RULES_FILE).unlink(missing_ok=True)  # never a file that came with the data
    if rules:
        _fetch_rules(rules, rules_digest, folder / RULES_FILE)
    return seal_dataset(folder, record, opened.class_names)


def _told(corrections: Corrections) -> str:
    counts = corrections.to_dict()
    return ", ".join(f"{counts[name]} {name}" for name in ("relabelled", "dropped", "unmatched"))


def _fetch_rules(rules: str, digest: str, path: Path) -> None:
    fetch(rules, path)
    received = sha256_of_file(path)
    if digest and received != digest:
        raise DatasetError(
            f"Expected {rules} with SHA-256 {digest}. Received: {received}. Fix: run it again, the file was changed"
        )


def _settings(raw: Path) -> dict[str, Any]:
    try:
        return read_settings(raw)
    except NotUsableError as error:
        raise DatasetError(f"{error} Fix: correct contract.json beside the data") from error


def _convert(
    arrays: Arrays, contract: Contract, folder: Path, preparation: str, corrections: Corrections, **chosen: Any
) -> Preprocessing:
    """Write raw data as the contract asks for them; `chosen` are fields of the record."""
    if not is_raw(arrays):
        raise DatasetError(
            f"Expected raw data to convert: uint8 images (n, rows, columns), integer labels (n,). Received: "
            f"{forms(arrays)}. Fix: preparation=none passes them on as they are"
        )
    if preparation == "none" or contract.preparation == "none":
        contract = as_it_is(arrays)
    digests = {name: sha256_of_array(np.asarray(array)) for name, array in arrays.items()}
    record = record_of_raw(arrays, contract, digests, **chosen)
    # Drawn from the labels as they came: whatever is corrected, the same examples are held out.
    splits = _split(arrays, record.validation_fraction, record.split_seed)
    kept = {split: (origin, corrections.rows_of(origin, rows)) for split, (origin, rows) in splits.items()}
    changed = {
        name: corrections.labels_of(name.partition("_")[0], array)
        for name, array in arrays.items()
        if name.endswith("_labels")
    }
    _write(folder, {**arrays, **changed}, kept, record)
    return record


def _read(raw: Path) -> Arrays | None:
    """Return the arrays, or None when one cannot be read: the doctor will say what is wrong with which file."""
    try:
        return {name: file.open() for name, file in find_arrays(raw).items()}
    except ArrayFileError as error:
        print(f"preprocess: {error}", flush=True)
        return None


def _pass_on(raw: Dataset, contract: Contract, folder: Path, **chosen: Any) -> Preprocessing:
    """Copy prepared data unchanged, with a record that says so; `chosen` are fields of the record."""
    print("preprocess: the data are not raw uint8 images with integer labels; passed on as prepared", flush=True)
    for name in raw.files:
        shutil.copyfile(raw.folder / name, folder / name)
    return record_as_prepared(contract, {name: str(entry["sha256"]) for name, entry in raw.files.items()}, **chosen)


def _split(arrays: Arrays, fraction: float, seed: int) -> dict[str, tuple[str, np.ndarray]]:
    """Return split -> (name of its source split, sorted row indices into it).

    A missing split is held out of train, the same rows for the same seed.
    """
    labels = np.asarray(arrays["train_labels"])
    train = np.arange(len(labels))
    splits: dict[str, tuple[str, np.ndarray]] = {}
    random = np.random.default_rng(seed)
    for split, share in (("test", TEST_FRACTION), ("validation", fraction)):
        if f"{split}_images" in arrays:
            splits[split] = (split, np.arange(len(arrays[f"{split}_labels"])))
            continue
        held_out = held_out_rows(labels, train, share, random)
        splits[split] = ("train", held_out)
        train = np.setdiff1d(train, held_out, assume_unique=True)
    return {"train": ("train", train), **splits}


def _write(folder: Path, arrays: Arrays, splits: Mapping[str, tuple[str, np.ndarray]], record: Preprocessing) -> None:
    for split, (origin, rows) in splits.items():
        images, labels = arrays[f"{origin}_images"], arrays[f"{origin}_labels"]
        # A split of other sizes than train's keeps them, for validate to name.
        as_it_is = replace(record, image_shape=shape_for(record.layout, images.shape[1:]))
        stored = np.lib.format.open_memmap(
            folder / f"{split}_images.npy",
            mode="w+",
            dtype=np.dtype(record.dtype),
            shape=(len(rows), *as_it_is.image_shape),
        )
        for chunk in _chunks(len(rows)):
            stored[chunk] = network_input(images[rows[chunk]], as_it_is)
        stored.flush()
        del stored
        np.save(folder / f"{split}_labels.npy", convert_labels(np.asarray(labels)[rows], record), allow_pickle=False)
        print(f"preprocess: {split} {len(rows)} images {record.dtype} {as_it_is.image_shape}", flush=True)


def _chunks(count: int) -> Iterator[slice]:
    return (slice(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK))
