"""Real datasets and really trained small networks, made in a second, for the tests of evaluate and publish."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from components.preprocess.preprocess import convert_labels
from deep_mnist.data.dataset import Preprocessing, write_dataset
from deep_mnist.export import network_input
from tests.support.digits import draw_digits


def make_record(**changes: Any) -> Preprocessing:
    """Return the record of raw digits for a uint8 network with channels last, changed as asked."""
    plain = {
        "source": "synthetic",
        "layout": "channels_last",
        "image_shape": (28, 28, 1),
        "dtype": "uint8",
        "scale": 1.0,
        "offset": 0.0,
        "label_encoding": "sparse",
        "num_classes": 10,
    }
    return Preprocessing(**{**plain, **changes})


FLOATS = {"dtype": "float32", "scale": 1 / 255}


def make_dataset(folder: Path, record: Preprocessing, *, train: int = 600, test: int = 300, seed: int = 0) -> Path:
    """Write a dataset of synthetic digits as preprocess does; the same raw images for the same seed."""
    arrays = {}
    for split, count, offset in (("train", train, 0), ("test", test, 1)):
        images, labels = draw_digits(count, seed=2 * seed + offset)
        arrays[f"{split}_images"] = network_input(images, record)
        arrays[f"{split}_labels"] = convert_labels(labels, record)
    write_dataset(folder, arrays, record)
    return folder


@cache
def _training_digits() -> tuple[np.ndarray, np.ndarray]:
    return draw_digits(1500, seed=1000)


def train_network(
    folder: Path, record: Preprocessing, *, epochs: int = 12, seed: int = 0, logits: bool = False
) -> Path:
    """Train a linear network on synthetic digits and write the folder that train writes."""
    import keras

    keras.utils.set_random_seed(seed)
    images, labels = _training_digits()
    layers = [keras.layers.Input(record.image_shape, dtype=record.dtype)]
    layers += [keras.layers.Rescaling(1 / 255)] if record.dtype == "uint8" else []
    layers += [keras.layers.Flatten(), keras.layers.Dense(10, activation=None if logits else "softmax")]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=logits))
    if epochs:
        model.fit(network_input(images, record), labels, batch_size=64, epochs=epochs, verbose=0)
    return write_trained(folder, model, record, seed=seed)


def write_trained(folder: Path, model: Any, record: Preprocessing, *, seed: int = 0) -> Path:
    """Write what train writes beside a model."""
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / "model.keras")
    (folder / "preprocessing.json").write_text(json.dumps(record.to_dict()))
    (folder / "training.json").write_text(json.dumps({"network": model.name, "seed": seed, "parameters": 7850}))
    (folder / "history.json").write_text(json.dumps({"epochs": []}))
    return folder
