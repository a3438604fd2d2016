"""What training reads of a dataset folder: the train and validation splits, never the test split."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from components.train.examples.sharded import ShardedSplit
from components.train.examples.split import TrainingSplit
from deep_mnist.data.arrays import find_arrays
from deep_mnist.data.dataset import Dataset, DatasetError, open_dataset
from deep_mnist.data.shards.shard_set import shards_in
from deep_mnist.data.stratify import VALIDATION_FRACTION, held_out_rows


def open_training_data(folder: Path) -> tuple[Dataset, TrainingSplit, TrainingSplit]:
    """Return the verified dataset with its train and validation splits.

    Data prepared by their user may have no validation split; then the share that the record names is held out of train.

    Raises:
        DatasetError: A file is missing or altered, or there is no preprocessing record.
    """
    dataset = open_dataset(folder)
    if dataset.record is None:
        raise DatasetError(
            f"Expected a preprocessing record in the manifest of {folder}. Received: none. Fix: Rerun preprocess."
        )
    found = find_arrays(folder)
    arrays = {name: file.open() for name, file in found.items() if not name.startswith("test_")}
    train = _split(folder, arrays, "train")
    if (shards := shards_in(folder)) is not None:
        train = ShardedSplit(train.images, train.labels, shards)
    if "validation_images" in arrays:
        return dataset, train, _split(folder, arrays, "validation")
    fraction = dataset.record.validation_fraction or VALIDATION_FRACTION
    print(f"data: no validation split; holding out {fraction:.1%} of train", flush=True)
    return dataset, *_hold_out(train, fraction, dataset.record.split_seed)


def _split(folder: Path, arrays: dict[str, np.ndarray], name: str) -> TrainingSplit:
    missing = [f"{name}_{kind}" for kind in ("images", "labels") if f"{name}_{kind}" not in arrays]
    if missing:
        raise DatasetError(f"Expected {missing} in {folder}. Received: {sorted(arrays)}. Fix: Rerun preprocess.")
    split = TrainingSplit(arrays[f"{name}_images"], arrays[f"{name}_labels"])
    if not len(split) or len(split.labels) != len(split):
        raise DatasetError(
            f"Expected as many {name} labels as images, and some. "
            f"Received: {len(split)} images, {len(split.labels)} labels. Fix: Rerun preprocess."
        )
    return split


def _hold_out(train: TrainingSplit, fraction: float, seed: int) -> tuple[TrainingSplit, TrainingSplit]:
    labels = np.asarray(train.labels)
    classes = labels.reshape(len(labels), -1).argmax(axis=1) if labels.size > len(labels) else labels.reshape(-1)
    rows = np.arange(len(train))
    held = held_out_rows(classes, rows, fraction, np.random.default_rng(seed))
    kept = np.setdiff1d(rows, held, assume_unique=True)
    return (
        TrainingSplit(train.images[kept], train.labels[kept]),
        TrainingSplit(train.images[held], train.labels[held]),
    )
