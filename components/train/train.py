"""Train a network on a verified dataset folder and write everything that is known of how.

The trained folder holds model.keras, history.json, training.json and preprocessing.json.
"""

from __future__ import annotations

import hashlib
import json
import math
import platform
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from components.dataset import Dataset, sha256_of_file
from components.images import code_digest
from components.train.curves import curves_page
from components.train.data import Split, open_training_data
from components.train.loop import Loop, correct
from components.train.networks import Network, Recipe, find_network


@dataclass(frozen=True)
class Request:
    """What is asked of one training; the parameters of the step.

    Attributes:
        network: Name of a built-in network; unused when `model` is given.
        model: Path, file:// or gs:// address of a user's own `.keras`, or "".
        model_digest: SHA-256 that the user's file must have, or "".
        epochs: Passes over the training split; 0 means the network's own number.
        seed: Seed of the weights, the order and the augmentation.
        require_gpu: Stop unless a GPU does the work.
        checkpoints: Store address for checkpoints, or "" for none.
    """

    network: str = "fast"
    model: str = ""
    model_digest: str = ""
    epochs: int = 0
    seed: int = 0
    require_gpu: bool = False
    checkpoints: str = ""


class UnusableModel(ValueError):
    """A user's model file that cannot be trained."""


def train_from_paths(
    dataset: str, trained: str, curves: str, request: Request, *, ready: str = "fit"
) -> dict[str, float]:
    """Train as the step does: paths in, finite numbers for KFP out."""
    if ready != "fit":
        raise ValueError(f'Expected ready="fit", require_valid\'s token. Received: {ready!r}. Run validate first.')
    return train(Path(dataset), Path(trained), Path(curves), request)


def train(folder: Path, trained: Path, curves: Path, request: Request) -> dict[str, float]:
    """Train on `folder`, write the `trained` folder and the `curves` page, and return the metrics."""
    started = time.time()
    keras.utils.set_random_seed(request.seed)
    dataset, train_split, validation = open_training_data(folder)
    network = load_network(request)
    recipe = replace(network.recipe, epochs=request.epochs or network.recipe.epochs)
    model = network.build()
    print(f"train: {model.name}, {model.count_params()} parameters, {len(train_split)} images, {recipe}", flush=True)
    history = fit(model, recipe, train_split, validation, request.seed)
    trained.mkdir(parents=True, exist_ok=True)
    model.save(trained / "model.keras")
    facts = describe(dataset, request, recipe, model, trained / "model.keras", history, started)
    write_json(trained / "history.json", {"epochs": history})
    write_json(trained / "training.json", facts)
    write_json(trained / "preprocessing.json", dataset.record.to_dict() if dataset.record else None)
    curves.parent.mkdir(parents=True, exist_ok=True)
    curves.write_text(curves_page(history, facts))
    return metrics_of(history, facts)


def load_network(request: Request) -> Network:
    """Return the built-in network, or the user's own with its own compile settings."""
    if not request.model:
        return find_network(request.network)
    return Network(lambda: load_own_model(request.model, request.model_digest), Recipe())


def load_own_model(address: str, digest: str) -> keras.Model:
    """Load a user's `.keras` in safe mode; Lambda layers and altered files are refused."""
    from components.storage import fetch

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        fetch(address, path)
        received = sha256_of_file(path)
        if digest and received != digest:
            raise UnusableModel(f"Expected {address} with SHA-256 {digest}. Received: {received}. Rerun the pipeline.")
        try:
            return keras.saving.load_model(path, safe_mode=True)
        except (ValueError, TypeError, OSError) as error:
            raise UnusableModel(
                f"Expected a .keras file of plain layers, without Lambda, at {address}. Received: {error}"
            ) from error


def fit(model: keras.Model, recipe: Recipe, train_split: Split, validation: Split, seed: int) -> list[dict[str, Any]]:
    """Train all epochs and return one record an epoch."""
    loop = Loop(model, recipe, train_split, epochs=recipe.epochs, seed=seed, jit=False)
    history = []
    for epoch in range(recipe.epochs):
        began = time.perf_counter()
        loop.run(epoch, 0, loop.steps_per_epoch)
        seconds = time.perf_counter() - began
        loss, hits, examples = (float(each) for each in loop.sums.numpy())
        val_loss, val_accuracy = score(model, validation)
        record = {
            "epoch": epoch + 1,
            "loss": loss / loop.steps_per_epoch,
            "accuracy": hits / examples,
            "val_loss": val_loss,
            "val_accuracy": val_accuracy,
            "seconds": seconds,
            "images_per_second": examples / seconds,
            "learning_rate": float(model.optimizer.learning_rate),
        }
        history.append(record)
        print("train: " + " ".join(f"{name}={value:.4g}" for name, value in record.items()), flush=True)
    return history


def score(model: keras.Model, split: Split, batch: int = 1000) -> tuple[float, float]:
    """Return mean loss and accuracy of the model on a split."""
    forward = tf.function(lambda images: model(images, training=False))
    losses, hits = 0.0, 0.0
    for first in range(0, len(split), batch):
        images, labels = split.images[first : first + batch], tf.constant(split.labels[first : first + batch])
        predicted = forward(tf.constant(images))
        losses += float(model.compute_loss(images, labels, predicted, training=False)) * len(images)
        hits += float(correct(labels, predicted))
    return losses / len(split), hits / len(split)


def describe(
    dataset: Dataset,
    request: Request,
    recipe: Recipe,
    model: keras.Model,
    saved: Path,
    history: list[dict[str, Any]],
    started: float,
) -> dict[str, Any]:
    """Return what training.json holds."""
    return {
        "network": model.name,
        "model": request.model,
        "seed": request.seed,
        "parameters": model.count_params(),
        "recipe": asdict(recipe),
        "dataset_digest": dataset.digest,
        "model_digest": request.model_digest,
        "code_digest": code_digest("train"),
        "trained_sha256": sha256_of_file(saved),
        "weights_sha256": digest_of_weights(model),
        "versions": {
            "python": platform.python_version(),
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "numpy": np.__version__,
        },
        "device": {"kind": "CPU"},
        "times": {
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
            "seconds": time.time() - started,
            "training_seconds": sum(record["seconds"] for record in history),
        },
    }


def digest_of_weights(model: keras.Model) -> str:
    """Hex SHA-256 over the weights' bytes, in the model's order."""
    digest = hashlib.sha256()
    for weight in model.weights:
        digest.update(np.ascontiguousarray(weight.numpy()).tobytes())
    return digest.hexdigest()


def metrics_of(history: list[dict[str, Any]], facts: dict[str, Any]) -> dict[str, float]:
    """Return finite Python floats for KFP."""
    last = history[-1]
    found = {
        "train_loss": last["loss"],
        "train_accuracy": last["accuracy"],
        "validation_loss": last["val_loss"],
        "validation_accuracy": last["val_accuracy"],
        "images_per_second": last["images_per_second"],
        "training_seconds": facts["times"]["training_seconds"],
        "parameters": facts["parameters"],
    }
    return {name: float(value) for name, value in found.items() if math.isfinite(value)}


def write_json(path: Path, value: Any) -> None:
    """Write JSON that holds finite numbers only."""
    path.write_text(json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n")
