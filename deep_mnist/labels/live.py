"""`doctor.suspects(model, x, y)`: the labels that are likely wrong, in a notebook or a script."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from deep_mnist.doctor.evidence.classes import classes_of
from deep_mnist.labels.classifier import features_of, predict_folds
from deep_mnist.labels.duplicates import near_duplicates
from deep_mnist.labels.folds import FOLDS, FoldsError, grouped_folds
from deep_mnist.labels.suspects import Suspects, suspects_of

EPOCHS = 3


def suspects(
    model: Any,
    x: Any,
    y: Any,
    *,
    epochs: int = EPOCHS,
    folds: int = FOLDS,
    seed: int = 0,
    class_names: Sequence[str] = (),
) -> Suspects:
    """Return the labels that are likely wrong, and what else is doubtful.

    Args:
        model: Compiled Keras model; copies of it are trained, it stays as it is. None takes a cheap classifier, without
            TensorFlow.
        x: Examples on the first axis, as the model takes them.
        y: Integers (n,) or (n, 1), or one-hot rows, as the model's loss takes them.
        epochs: Passes of each fold's training.
        folds: How many trainings; each example is judged by the one that never saw it.
        seed: Of folds, weights and order.
        class_names: For the report.

    Raises:
        FoldsError: The labels are no classes, or too few.

    Example:
        >>> images = np.random.default_rng(0).normal(0, 0.1, (200, 8, 8)).astype("float32")
        >>> labels = np.arange(200) % 2
        >>> images[labels == 1, 2:6, 2:6] += 1
        >>> labels[10] = 1
        >>> [(each.index, each.suggested) for each in suspects(None, images, labels).of_kind("label")]
        [(10, 0)]
    """
    started = time.perf_counter()
    x, y = np.asarray(x), np.asarray(y)
    given = given_classes(y, len(x))
    features = features_of(x)
    pairs = near_duplicates(features[0], seed)
    fold = grouped_folds(given, pairs, folds, seed)
    if model is None:
        probabilities = predict_folds(features, given, fold, seed)
    else:
        from deep_mnist.labels.keras_folds import predict_folds as predict_with_model

        probabilities = predict_with_model(model, x, y, fold, epochs=epochs, seed=seed)
    name = "cheap" if model is None else str(model.name)
    found = suspects_of(probabilities, given, features[0], by=name, class_names=class_names, pairs=pairs)
    return found.lasting(time.perf_counter() - started)


def given_classes(y: np.ndarray, examples: int) -> np.ndarray:
    """Return int64 (n,), the class of each label.

    Raises:
        FoldsError: The labels are no classes from 0 on, or not one for each example.
    """
    classes = classes_of(y)
    if classes is None or len(classes) != examples or not examples:
        raise FoldsError(
            f"Expected a class for each of {examples} examples. Received: labels {y.dtype} {y.shape}. "
            "Fix: Give integers (n,) or one-hot rows (n, classes)."
        )
    found = classes.at(np.arange(examples))
    if found.min() < 0:
        raise FoldsError(f"Expected classes from 0 on. Received: {int(found.min())}. Fix: Number the classes from 0.")
    return found
