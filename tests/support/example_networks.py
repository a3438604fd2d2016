"""Small live networks for the examples of rules that speak of a run; each takes a moment on a CPU."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rehearsal.rehearse import Rehearsal, rehearse
from deep_mnist.doctor.rehearsal.watchdog import UnhealthyTrainingError, Watchdog

FEATURES, CLASSES = 8, 4


def blobs(examples: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """Return x float32 (n, 8), a cloud of points around one centre per class, and its classes int64 (n,)."""
    random = np.random.default_rng(0)
    y = random.integers(0, CLASSES, examples)
    centres = random.normal(0, 2, (CLASSES, FEATURES))
    return (centres[y] + random.normal(0, 0.5, (examples, FEATURES))).astype(np.float32), y


def network(
    *hidden: layers.Layer, optimizer: Any = "adam", loss: Any = "sparse_categorical_crossentropy", **last: Any
) -> keras.Model:
    """Return a compiled classifier of `blobs`: the hidden layers, then Dense(4, softmax) with what `last` adds."""
    keras.utils.set_random_seed(0)
    head = layers.Dense(**{"units": CLASSES, "activation": "softmax", **last})
    model = keras.Sequential([keras.Input((FEATURES,)), *hidden, head])
    model.compile(optimizer, loss, metrics=["accuracy"])
    return model


def line(middle: float, *, scale: float = 5.0) -> tuple[np.ndarray, np.ndarray]:
    """Return x float32 (256, 8), standard normal, and targets float32 (256, 1) of this mean, a linear function of x."""
    random = np.random.default_rng(0)
    x = random.normal(size=(256, FEATURES)).astype(np.float32)
    return x, (middle + scale * x @ random.normal(0, 0.3, (FEATURES, 1))).astype(np.float32)


def regressor(*hidden: layers.Layer, optimizer: Any = "adam", **last: Any) -> keras.Model:
    """Return a network for `line` under a squared error: the hidden layers, then Dense(1) with what `last` adds."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((FEATURES,)), *hidden, layers.Dense(1, **last)])
    model.compile(optimizer, "mse")
    return model


def rehearsed(model: keras.Model, x: np.ndarray, y: np.ndarray, **options: Any) -> Rehearsal:
    """Return doctor.rehearse(model, x, y), with time to spare: a loaded machine must not decide what is found."""
    return rehearse(model, x, y, seconds=3000, **options)


def watched(model: keras.Model, x: np.ndarray, y: np.ndarray, **fit: Any) -> list[Finding]:
    """Return why the watchdog ended model.fit(x, y), nothing when it did not."""
    try:
        model.fit(x, y, **{"batch_size": 16, "verbose": 0, **fit}, callbacks=[Watchdog(x, y)])
    except UnhealthyTrainingError as error:
        return error.findings
    return []
