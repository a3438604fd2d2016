"""`.keras` files as Keras 3 writes them, without Keras: the doctor's tests need no TensorFlow."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

Layer = dict[str, Any]


def layer(kind: str, name: str = "", **config: Any) -> Layer:
    """Return a layer's serialized form."""
    return {"class_name": kind, "config": {"name": name or kind.lower(), **config}}


def conv(filters: int = 8, form: str = "channels_last", name: str = "conv2d", **config: Any) -> Layer:
    options = {"kernel_size": [3, 3], "strides": [1, 1], "padding": "valid", "data_format": form, "activation": "relu"}
    return layer("Conv2D", name, filters=filters, **{**options, **config})


def dense(units: int = 10, activation: str = "softmax", name: str = "dense") -> Layer:
    return layer("Dense", name, units=units, activation=activation)


def sequential(*layers: Layer, shape: tuple[int | None, ...] | None = (28, 28, 1), name: str = "net") -> Layer:
    """Return a Sequential model; `shape` is one example's, None for a model that was never built."""
    head = [layer("InputLayer", "input", batch_shape=[None, *shape])] if shape else []
    return {"class_name": "Sequential", "config": {"name": name, "layers": [*head, *layers]}}


def classifier(*before: Layer, shape: tuple[int | None, ...] = (28, 28, 1), **last: Any) -> Layer:
    """Return a small convolutional network: `before`, Conv2D, Flatten, Dense."""
    return sequential(*before, conv(), layer("Flatten"), dense(**last), shape=shape)


def optimizer(name: str, rate: float, **config: Any) -> Layer:
    """Return an optimizer's serialized form."""
    return {"class_name": name, "config": {"learning_rate": rate, **config}}


def write_keras(path: Path, model: Layer, loss: Any = None, **compiled: Any) -> Path:
    """Write a model to a `.keras` file, compiled with `loss` (and the optimizer, metrics) when one is given."""
    config = {**model, "compile_config": {"optimizer": "adam", "loss": loss, **compiled} if loss is not None else {}}
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        bundle.writestr("config.json", json.dumps(config))
        bundle.writestr("model.weights.h5", b"")
    return path
