"""Champions of any input that were really trained and published, for the tests of the pages."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from components.evaluate.evaluate import evaluate_from_paths
from components.preprocess.preprocess import convert_labels
from components.publish.publish import PublishRequest, publish_from_paths
from deep_mnist.data.dataset import Preprocessing, seal_dataset, write_dataset
from deep_mnist.export import RECORD_FILE, TrainedNetwork, export, network_input
from deep_mnist.registry.pointer import Facts, Promotion
from deep_mnist.registry.promotion import Floors
from deep_mnist.registry.registry import Registry
from tests.support.trained import write_trained

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 120


def publish_convolution(
    folder: Path,
    record: Preprocessing,
    splits: Sequence[tuple[np.ndarray, np.ndarray]],
    *,
    name: str = "mnist",
    class_names: Sequence[str] = (),
    epochs: int = 2,
    seed: int = 0,
) -> Path:
    """Train a small convolutional network, publish it as evaluate and publish do, and return the registry.

    Args:
        folder: Receives `registry` and what leads to it.
        record: How images are stored; raw uint8 images (n, rows, columns[, channels]) are stored that way.
        splits: (images, labels) for training and for the test.
        name: Of the model in the registry.
        class_names: Of the dataset.
        epochs: Passes over the training images.
        seed: Of weights and order.
    """
    work = folder / f"seed-{seed}"
    arrays = {}
    for split, (images, labels) in zip(("train", "test"), splits, strict=True):
        arrays[f"{split}_images"] = network_input(images, record)
        arrays[f"{split}_labels"] = convert_labels(labels, record)
    write_dataset(work / "data", arrays, record)
    seal_dataset(work / "data", record, class_names)
    _train(work / "trained", record, arrays, epochs, seed)
    judged = work / "evaluation.json"
    evaluate_from_paths(
        work / "data",
        work / "trained",
        judged,
        work / "report.html",
        work / "summary.md",
        registry=str(folder / "registry"),
        model_name=name,
        floors=Floors(0.3, 0.0, 0.95),
    )
    request = PublishRequest(str(folder / "registry"), name, run_name=f"seed-{seed}", require_promotion=True)
    publish_from_paths(work / "data", work / "trained", judged, work / "promotion.json", work / "card.md", request)
    return folder / "registry"


def _train(folder: Path, record: Preprocessing, arrays: dict[str, np.ndarray], epochs: int, seed: int) -> None:
    import keras

    keras.utils.set_random_seed(seed)
    layers = [keras.Input(record.image_shape, dtype=record.dtype)]
    layers += [keras.layers.Rescaling(1 / 255)] if record.dtype == "uint8" else []
    layers += [
        keras.layers.Conv2D(16, 5, strides=2, activation="relu"),
        keras.layers.Conv2D(32, 3, strides=2, activation="relu"),
        keras.layers.Flatten(),
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dense(record.num_classes, activation="softmax"),
    ]
    model = keras.Sequential(layers)
    optimizer = keras.optimizers.Adam(0.002)
    model.compile(optimizer, "sparse_categorical_crossentropy", steps_per_execution=8)  # a quarter less time
    model.fit(arrays["train_images"], arrays["train_labels"], batch_size=64, epochs=epochs, verbose=0)
    write_trained(folder, model, record, seed=seed)


def promote_network(registry: Path, name: str, model: Any, record: Preprocessing) -> Promotion:
    """Export a Keras model and promote it, judged by nobody."""
    with tempfile.TemporaryDirectory() as scratch:
        network = TrainedNetwork.load(write_trained(Path(scratch, "trained"), model, record))
        export(network, Path(scratch, "version"))
        shutil.copyfile(Path(scratch, "trained", RECORD_FILE), Path(scratch, "version", RECORD_FILE))
        facts = Facts(network.digest, "data", "test", accuracy=0.5, examples=10, reason="for a test", run="run")
        opened = Registry(str(registry), name)
        return opened.promote(Path(scratch, "version"), facts, expected=opened.champion())


def promote_again(registry: Path, name: str, **changes: Any) -> Promotion:
    """Promote the champion's files once more, with changed facts."""
    opened = Registry(str(registry), name)
    champion = opened.champion()
    assert champion is not None
    with tempfile.TemporaryDirectory() as scratch:
        opened.files.download(champion, Path(scratch))
        return opened.promote(Path(scratch), replace(champion.facts, **changes), expected=champion)
