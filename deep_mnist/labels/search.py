"""The whole search through one split: features, folds, predictions, suspects."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from deep_mnist.labels.classifier import features_of
from deep_mnist.labels.duplicates import near_duplicates
from deep_mnist.labels.folds import FOLDS, grouped_folds
from deep_mnist.labels.kept_folds import put_together
from deep_mnist.labels.predict import Predictor, predict
from deep_mnist.labels.source import LabelledSplit
from deep_mnist.labels.suspects import Suspects, suspects_of


def search(source: LabelledSplit, by: Predictor, kept: Path, *, folds: int = FOLDS) -> Suspects:
    """Return what is suspicious about a split's labels.

    Args:
        source: The split, perhaps with the train split behind it.
        by: What predicts, with its network decided.
        kept: Folder of finished folds; a search that was cut goes on there.
        folds: How many.
    """
    started = time.perf_counter()
    features = features_of(source.images)
    pairs = near_duplicates(features[0], by.seed)
    fold = grouped_folds(source.given, pairs, folds, by.seed, source.judged)
    probabilities = predict(source, features, fold, by, kept)
    return _found(source, probabilities, features[0], pairs, by.name).lasting(time.perf_counter() - started)


def suspects_of_folds(source: LabelledSplit, kept: Path, *, folds: int, seed: int, name: str) -> Suspects:
    """Return the same of folds that were predicted elsewhere.

    Args:
        source: The split.
        kept: Folder with fold-0.npy and so on.
        folds, seed: As they were drawn with.
        name: Of what predicted.
    """
    started = time.perf_counter()
    features = features_of(source.images)
    pairs = near_duplicates(features[0], seed)
    probabilities = put_together(kept, grouped_folds(source.given, pairs, folds, seed, source.judged))
    return _found(source, probabilities, features[0], pairs, name).lasting(time.perf_counter() - started)


def _found(
    source: LabelledSplit, probabilities: np.ndarray, rows: np.ndarray, pairs: np.ndarray, name: str
) -> Suspects:
    count = source.judged
    own = pairs[(pairs < count).all(axis=1)]
    names = source.class_names
    return suspects_of(
        probabilities[:count],
        source.given[:count],
        rows[:count],
        split=source.split,
        by=name,
        class_names=names,
        pairs=own,
    )
