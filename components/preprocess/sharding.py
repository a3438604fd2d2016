"""A dataset whose train split lies in shards: from arrays that exceed a limit, or from shards that lie somewhere.

The folder holds `shards.json`, the validation and test splits as ordinary arrays of bounded size, and as
`train_{images,labels}.npy` rows drawn over all shards, every class among them, for what looks at some.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from components.preprocess.blocks import ArrayBlocks, RawBlocks, ShardBlocks
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
from components.preprocess.to_shards import MOST_HELD_OUT_BYTES, TEST, VALIDATION, Pair, Sharding, lots_of, rows_in
from deep_mnist.contract.contract import Contract
from deep_mnist.data.dataset import SHARDS_FILE, Dataset, DatasetError, Preprocessing, sha256_of_array
from deep_mnist.data.shards.reading import examples
from deep_mnist.data.shards.shard_set import SHARD_BYTES, SHARDS_FOLDER, Shard, ShardSet, shards_in
from deep_mnist.data.stratify import VALIDATION_FRACTION
from deep_mnist.export import network_input
from deep_mnist.storage.open import open_store

TEST_FRACTION = 1 / 7
Convert = Callable[[np.ndarray, np.ndarray], Pair]


@dataclass(frozen=True)
class Cut:
    """What may be cut into shards, and how.

    Attributes:
        raw: Folder written by download.
        arrays: Its arrays by slot, {} where they cannot be read.
        preparation: As preprocess takes it.
        shard_bytes: Most bytes of a shard's examples; arrays of train that hold no more stay arrays. 0 cuts no arrays.
        at: Address for the shards, "" for a folder in the dataset's own.
    """

    raw: Path
    arrays: Arrays
    preparation: str
    shard_bytes: int
    at: str

    @cached_property
    def shards(self) -> ShardSet | None:
        """The raw data, where they lie in shards."""
        return shards_in(self.raw)

    def applies(self) -> bool:
        """Return whether the train split is to be written in shards."""
        if self.shards is not None:
            return True
        images, labels = self.arrays.get("train_images"), self.arrays.get("train_labels")
        if not self.shard_bytes or images is None or labels is None or len(images) != len(labels):
            return False
        return images.nbytes > self.shard_bytes

    @cached_property
    def forms(self) -> Arrays:
        """Arrays of the same dtype and shape; those of shards take no memory and hold one value."""
        if self.shards is None:
            return self.arrays
        found: Arrays = {}
        for split, listed in self.shards.splits.items():
            count = self.shards.count(split)
            image, label = np.zeros((), self.shards.image_dtype), np.zeros((), self.shards.label_dtype)
            if image.dtype.kind in "iu" and label.dtype.kind in "iu" and listed:
                label = np.array(max((int(name) for shard in listed for name in shard.classes), default=0), label.dtype)
            found[f"{split}_images"] = np.broadcast_to(image, (count, *self.shards.image_shape))
            found[f"{split}_labels"] = np.broadcast_to(label, (count, *self.shards.label_shape))
        return found


def write_sharded(cut: Cut, opened: Dataset, contract: Contract, folder: Path, **chosen: Any) -> Preprocessing:
    """Write the shards and what lies beside them, and return the record; `chosen` are fields of the record.

    Raises:
        DatasetError: Raw data that cannot be converted; DamagedShardError names a shard.
    """
    record, convert = _plan(cut, opened, contract, chosen)
    blocks = _blocks(cut, convert, chosen["split_seed"])
    shares = {} if "test_images" in cut.forms else {TEST: TEST_FRACTION}
    if "validation_images" not in cut.forms:
        shares[VALIDATION] = chosen["validation_fraction"] or VALIDATION_FRACTION
    some = [part[:1] for part in convert(*(part[:1] for part in blocks.read(0)))]
    lots = lots_of(blocks, shares, chosen["split_seed"], some[0].nbytes + some[1].nbytes)
    at = _place(cut, opened, record)
    store = open_store(at if cut.at else str(folder / SHARDS_FOLDER))
    sharding = Sharding(blocks, convert, store, cut.shard_bytes or SHARD_BYTES, lots)
    listed = sharding.run(folder)
    _write_given(cut, convert, folder)
    _write_manifest(folder, at, some, listed, opened.class_names)
    count = sum(shard.count for shard in listed)
    print(f"preprocess: train {count} examples in {len(listed)} shards at {store.url}", flush=True)
    return record


def _plan(cut: Cut, opened: Dataset, contract: Contract, chosen: dict[str, Any]) -> tuple[Preprocessing, Convert]:
    """Return the record and what converts a block."""
    raw = is_raw(cut.forms)
    if not raw and cut.preparation == "contract":
        raise DatasetError(
            f"Expected raw data to convert: uint8 images (n, rows, columns), integer labels (n,). Received: "
            f"{forms(cut.forms)}. Fix: preparation=none passes them on as they are"
        )
    digests = {name: str(entry["sha256"]) for name, entry in opened.files.items()}
    if not raw:
        print("preprocess: the data are not raw uint8 images with integer labels; passed on as prepared", flush=True)
        return record_as_prepared(contract, digests, **chosen), lambda images, labels: (images, labels)
    if cut.shards is None:
        digests = {name: sha256_of_array(np.asarray(array)) for name, array in cut.arrays.items()}
    wanted = as_it_is(cut.forms) if "none" in (cut.preparation, contract.preparation) else contract
    record = record_of_raw(cut.forms, wanted, digests, **chosen)
    encoded = replace(record, label_encoding=record.label_encoding if _fits(cut, record) else "sparse")
    return record, partial(_converted, record=encoded)


def _fits(cut: Cut, record: Preprocessing) -> bool:
    """Whether all labels of train are classes of the network: else none is encoded, for validate to name them."""
    if cut.shards is None:
        labels = cut.arrays["train_labels"]
        return bool(labels.min() >= 0 and labels.max() < record.num_classes)
    names = [int(name) for shard in cut.shards.splits["train"] for name in shard.classes]
    return all(0 <= name < record.num_classes for name in names)


def _converted(images: np.ndarray, labels: np.ndarray, *, record: Preprocessing) -> Pair:
    as_is = replace(record, image_shape=shape_for(record.layout, images.shape[1:]))
    return network_input(np.ascontiguousarray(images), as_is), convert_labels(labels, record)


def _blocks(cut: Cut, convert: Convert, seed: int) -> RawBlocks:
    if cut.shards is not None:
        return ShardBlocks(cut.shards, "train")
    images, labels = cut.arrays["train_images"], cut.arrays["train_labels"]
    stored = convert(images[:1], labels[:1])
    return ArrayBlocks(images, labels, rows_in(cut.shard_bytes, *stored), seed)


def _place(cut: Cut, opened: Dataset, record: Preprocessing) -> str:
    """Return where the shards lie: below an address, by what they are made of, so that a repetition finds them."""
    if not cut.at:
        return SHARDS_FOLDER
    made_of = json.dumps([opened.digest, record.to_dict(), cut.shard_bytes], sort_keys=True)
    return f"{cut.at.rstrip('/')}/{hashlib.sha256(made_of.encode()).hexdigest()[:16]}"


def _write_given(cut: Cut, convert: Convert, folder: Path) -> None:
    """Write the validation and test splits that the raw data have; of one too large, examples drawn over all of it."""
    for split in ("validation", "test"):
        if f"{split}_images" not in cut.forms:
            continue
        parts = [convert(images, labels) for images, labels in _drawn(cut, split)]
        for name, arrays in zip(("images", "labels"), zip(*parts, strict=True), strict=True):
            np.save(folder / f"{split}_{name}.npy", np.concatenate(arrays), allow_pickle=False)


def _drawn(cut: Cut, split: str) -> list[Pair]:
    images, labels = cut.forms[f"{split}_images"], cut.forms[f"{split}_labels"]
    every = -(-(images.nbytes + labels.nbytes) // MOST_HELD_OUT_BYTES)
    if cut.shards is None:
        return [(np.asarray(images[::every]), np.asarray(labels[::every]))]
    found = []
    for start, records in examples(cut.shards, split):
        some = records[-start % every :: every].copy()
        found.append((some["image"], some["label"]))
    return found


def _write_manifest(folder: Path, at: str, some: list[np.ndarray], listed: tuple[Shard, ...], names: Any) -> None:
    image, label = some
    made = ShardSet(
        at, image.shape[1:], image.dtype.str, label.shape[1:], label.dtype.str, {"train": listed}, class_names=names
    )
    (folder / SHARDS_FILE).write_text(made.to_json())
