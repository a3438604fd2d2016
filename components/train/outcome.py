"""What is written of a finished training, and what KFP receives."""

from __future__ import annotations

import hashlib
import json
import math
import platform
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from components.images import code_digest
from components.train.calibrate import calibrate
from components.train.device import Device, cores
from components.train.examples.split import TrainingSplit
from components.train.loop import Loop
from components.train.networks import Recipe
from components.train.request import TrainRequest
from components.train.shown.curves import curves_page
from deep_mnist.calibration import CALIBRATION_FILE
from deep_mnist.contract.load import load_contract
from deep_mnist.data.dataset import Dataset
from deep_mnist.storage.store import sha256_of_file


@dataclass(frozen=True)
class TrainingOutcome:
    """A finished training.

    Attributes:
        seconds: From the data in memory to the trained model.
        nodes: How many, and the seconds per step of each one's own work, without waiting for the others.
        first_call_seconds: Of the loop's first call: tracing and compiling, and a few steps.
    """

    model: keras.Model
    recipe: Recipe
    history: list[dict[str, Any]]
    device: Device
    loop: Loop
    seconds: float
    first_call_seconds: float
    nodes: dict[str, Any]


def write_trained(
    trained: Path,
    curves: Path,
    request: TrainRequest,
    dataset: Dataset,
    outcome: TrainingOutcome,
    validation: TrainingSplit,
    started: float,
) -> None:
    """Write the trained folder, its temperature fitted on the validation split, and the page of curves."""
    trained.mkdir(parents=True, exist_ok=True)
    outcome.model.save(trained / "model.keras")
    facts = training_facts(request, dataset, outcome, trained / "model.keras", started)
    write_json(trained / "history.json", {"epochs": outcome.history})
    write_json(trained / "training.json", facts)
    calibration = calibrate(outcome.model, facts["contract"]["loss"], validation)
    write_json(trained / CALIBRATION_FILE, calibration.to_dict())
    write_json(trained / "preprocessing.json", dataset.record.to_dict() if dataset.record else None)
    curves.parent.mkdir(parents=True, exist_ok=True)
    curves.write_text(curves_page(outcome.history, facts))


def training_facts(
    request: TrainRequest, dataset: Dataset, outcome: TrainingOutcome, saved: Path, started: float
) -> dict[str, Any]:
    """Return what training.json holds."""
    contract = load_contract(saved)
    training = sum(record["seconds"] for record in outcome.history)
    images = outcome.loop.steps * outcome.loop.batch
    return {
        "network": outcome.model.name,
        "model": request.model,
        "parameters": outcome.model.count_params(),
        "recipe": asdict(outcome.recipe),
        "requested_epochs": request.epochs,
        "seed": request.seed,
        "contract": replace(contract, name=outcome.model.name).to_dict(),
        "dataset_digest": dataset.digest,
        "model_digest": request.model_digest,
        "code_digest": code_digest("train"),
        "trained_sha256": sha256_of_file(saved),
        "weights_sha256": digest_of_weights(outcome.model),
        "versions": versions(),
        "device": {**asdict(outcome.device), "names": list(outcome.device.names), "cores": cores()},
        "times": {
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
            "seconds": time.time() - started,
            "fit_seconds": outcome.seconds,
            "training_seconds": training,
            "first_call_seconds": outcome.first_call_seconds,
            "images_per_second": images / max(training, 1e-9),
        },
        "nodes": outcome.nodes,
    }


def versions() -> dict[str, str]:
    """Return the versions that a result depends on."""
    return {
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
    }


def digest_of_weights(model: keras.Model) -> str:
    """Hex SHA-256 over the weights' bytes, in the model's order."""
    digest = hashlib.sha256()
    for weight in model.weights:
        digest.update(np.ascontiguousarray(weight.numpy()).tobytes())
    return digest.hexdigest()


def metrics_of(outcome: TrainingOutcome) -> dict[str, float]:
    """Return finite Python floats for KFP."""
    last = outcome.history[-1]
    found = {
        "train_loss": last["loss"],
        "train_accuracy": last["accuracy"],
        "validation_loss": last["val_loss"],
        "validation_accuracy": last["val_accuracy"],
        "images_per_second": last["images_per_second"],
        "training_seconds": sum(record["seconds"] for record in outcome.history),
        "parameters": outcome.model.count_params(),
    }
    return {name: float(value) for name, value in found.items() if math.isfinite(value)}


def write_json(path: Path, value: Any) -> None:
    """Write JSON that holds finite numbers only."""
    path.write_text(json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n")
