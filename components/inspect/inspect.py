"""The implementation of inspect: one fold's predictions, then what all folds together say of the labels."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from components.inspect.fold import predict_fold
from components.train.examples.split import TrainingSplit
from components.train.request import TrainRequest
from deep_mnist.data.dataset import Dataset, DatasetError, open_dataset
from deep_mnist.data.shards.shard_set import shards_in
from deep_mnist.labels.classifier import features_of
from deep_mnist.labels.duplicates import near_duplicates
from deep_mnist.labels.folds import grouped_folds
from deep_mnist.labels.kept_folds import save_fold
from deep_mnist.labels.live import given_classes
from deep_mnist.labels.report import write_reports
from deep_mnist.labels.search import suspects_of_folds
from deep_mnist.labels.source import LabelledSplit, pixels_of
from deep_mnist.labels.suspects import Suspects


def inspect_fold(folder: Path, out: Path, number: int, *, folds: int, request: TrainRequest) -> None:
    """Write one fold's predictions, `fold-<number>.npy`, by a network that was trained on the others.

    Args:
        folder: A dataset that preprocess wrote; its train split is inspected.
        out: Receives the predictions.
        number: Of the fold, from 0.
        folds: How many there are; every task draws the same ones.
        request: Network or the user's own model, epochs and seed.
    """
    dataset = open_dataset(folder)
    source = source_of(dataset)
    pairs = near_duplicates(features_of(source.images)[0], request.seed)
    held_out = grouped_folds(source.given, pairs, folds, request.seed) == number
    split = TrainingSplit(dataset.images("train"), dataset.labels("train"))
    save_fold(out, number, predict_fold(split, held_out, request, dataset.record))


def inspect_dataset(
    folder: Path, predictions: Sequence[Path], out: Path, *, folds: int, seed: int, name: str
) -> Suspects:
    """Write labels.json, labels.csv and labels.html to `out` and return what was found.

    Args:
        folder: The dataset.
        predictions: A folder of each fold, with its `fold-<number>.npy`.
        out: Folder for the reports.
        folds, seed: As the folds were predicted with.
        name: Of the network.
    """
    dataset = open_dataset(folder)
    source = source_of(dataset)
    with tempfile.TemporaryDirectory() as together:
        for each in predictions:
            for file in each.glob("fold-*.npy"):
                shutil.copyfile(file, Path(together) / file.name)
        found = suspects_of_folds(source, Path(together), folds=folds, seed=seed, name=name)
    write_reports(found, source.images, out, source=source.name)
    return found


def source_of(dataset: Dataset) -> LabelledSplit:
    """Return the train split of a dataset with its raw pixels, by which labels.yaml names an image.

    Raises:
        DatasetError: The split lies in shards.
    """
    if shards_in(dataset.folder) is not None:
        raise DatasetError(
            "Expected the train split in one piece, whose labels can be inspected. Received: shards. "
            "Fix: inspect before they are cut, by python -m deep_mnist.labels on the source"
        )
    images = pixels_of(dataset.images("train"), dataset.record)
    given = given_classes(np.asarray(dataset.labels("train")), len(images))
    name = dataset.record.source if dataset.record and dataset.record.source else dataset.folder.name
    return LabelledSplit(name, "train", images, given, dataset.class_names, len(given))
