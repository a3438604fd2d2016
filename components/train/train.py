"""Train a network on a verified dataset folder and write everything that is known of how.

The trained folder holds model.keras, history.json, training.json and preprocessing.json.
"""

from __future__ import annotations

import hashlib
import json
import math
import platform
import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from components.contract import Contract, load_contract
from components.dataset import Dataset, Preprocessing, sha256_of_file
from components.images import code_digest
from components.train.checkpoint import Checkpoints
from components.train.curves import curves_page
from components.train.data import Split, open_training_data
from components.train.device import Device, cores, find_device, memory_bytes, set_threads
from components.train.fit import Fit
from components.train.health import Watch
from components.train.loop import Loop
from components.train.networks import Recipe, find_network
from components.train.own_model import load_own_model
from components.train.progress import Report
from components.train.trainee import Trainee, built_in_trainee, own_trainee

RESIDENT_BYTES = 4 << 30  # a training split larger than this, or than
RESIDENT_SHARE = 1 / 3  # of the memory, is streamed from its files
CHECKPOINT_SECONDS = 20.0


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
        checkpoint_seconds: Between two checkpoints.
        resident_bytes: A training split up to this size is kept on the device; 0 decides by the memory.
    """

    network: str = "fast"
    model: str = ""
    model_digest: str = ""
    epochs: int = 0
    seed: int = 0
    require_gpu: bool = False
    checkpoints: str = ""
    checkpoint_seconds: float = CHECKPOINT_SECONDS
    resident_bytes: int = 0


@dataclass(frozen=True)
class Outcome:
    """A finished training.

    Attributes:
        seconds: From the data in memory to the trained model.
        first_call_seconds: Of the loop's first call: tracing and compiling, and a few steps.
    """

    model: keras.Model
    recipe: Recipe
    history: list[dict[str, Any]]
    device: Device
    loop: Loop
    seconds: float
    first_call_seconds: float


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
    set_threads(recipe_of(request, "CPU").parts)
    device = find_device(require_gpu=request.require_gpu)
    recipe = recipe_of(request, device.kind)
    dataset, train_split, validation = open_training_data(folder)
    checkpoints = Checkpoints(
        request.checkpoints, identity_of(request, recipe, dataset, device), every=request.checkpoint_seconds
    )
    outcome = fit(request, recipe, dataset, (train_split, validation), device, checkpoints)
    write_trained(trained, curves, request, dataset, outcome, started)
    checkpoints.remove()
    return metrics_of(outcome)


def recipe_of(request: Request, device: str) -> Recipe:
    """Return the built-in network's recipe, or the plain one for a user's model, with the epochs asked for."""
    recipe = Recipe() if request.model else find_network(request.network).sized_for(device).recipe
    if request.epochs < 0:
        raise ValueError(f"Expected epochs of 0 (the network's own) or more. Received: {request.epochs}.")
    return replace(recipe, epochs=request.epochs or recipe.epochs)


def identity_of(request: Request, recipe: Recipe, dataset: Dataset, device: Device) -> dict[str, Any]:
    """Return what makes a training this one: with the same identity, the same steps give the same weights."""
    return {
        "network": "own" if request.model else request.network,
        "model_digest": request.model_digest,
        "model": request.model,
        "dataset_digest": dataset.digest,
        "code_digest": code_digest("train"),
        "recipe": json.loads(json.dumps(asdict(recipe))),
        "seed": request.seed,
        "device": device.kind,
        "bfloat16": device.bfloat16,
        "versions": versions(),
    }


def fit(
    request: Request,
    recipe: Recipe,
    dataset: Dataset,
    splits: tuple[Split, Split],
    device: Device,
    checkpoints: Checkpoints,
) -> Outcome:
    """Build the network and train it to the end."""
    began = time.perf_counter()
    train_split, validation = splits
    keras.utils.set_random_seed(request.seed)
    strategy = device.strategy()
    limit = request.resident_bytes or min(RESIDENT_BYTES, int(memory_bytes() * RESIDENT_SHARE))
    resident = train_split.nbytes <= limit
    with strategy.scope() if strategy else nullcontext():
        trainee = make_trainee(request, recipe, dataset.record, device)
    loop = Loop(trainee, recipe, train_split, seed=request.seed, device=device, resident=resident, strategy=strategy)
    print(
        f"train: {trainee.final.name}, {trainee.final.count_params()} parameters; {len(train_split)} images "
        f"{'on the device' if resident else 'streamed'}, {recipe.epochs} epochs of {loop.steps_per_epoch} steps "
        f"of {loop.batch}; {len(validation)} images to validate; seed {request.seed}",
        flush=True,
    )
    watch = Watch(trainee, train_split, recipe.peak_rate or float(trainee.model.optimizer.learning_rate))
    training = Fit(loop, validation, checkpoints, watch, Report(loop.steps, recipe.epochs))
    history = training.run()
    seconds = time.perf_counter() - began
    return Outcome(trainee.finish(), recipe, history, device, loop, seconds, training.first_call_seconds)


def make_trainee(request: Request, recipe: Recipe, record: Preprocessing | None, device: Device) -> Trainee:
    """Return the model to train; the user's own is loaded and checked here."""
    if request.model:
        if record is None:
            raise ValueError("Expected a preprocessing record. Received: none. Rerun preprocess.")
        return own_trainee(load_own_model(request.model, request.model_digest, record))
    network = find_network(request.network).sized_for(device.kind).build()
    return built_in_trainee(
        network,
        bfloat16=recipe.bfloat16 and device.bfloat16,
        fused=device.kind == "CPU",
        smoothing=recipe.smoothing,
    )


def write_trained(
    trained: Path, curves: Path, request: Request, dataset: Dataset, outcome: Outcome, started: float
) -> None:
    """Write the trained folder and the page of curves."""
    trained.mkdir(parents=True, exist_ok=True)
    outcome.model.save(trained / "model.keras")
    facts = describe(request, dataset, outcome, trained / "model.keras", started)
    write_json(trained / "history.json", {"epochs": outcome.history})
    write_json(trained / "training.json", facts)
    write_json(trained / "preprocessing.json", dataset.record.to_dict() if dataset.record else None)
    curves.parent.mkdir(parents=True, exist_ok=True)
    curves.write_text(curves_page(outcome.history, facts))


def describe(request: Request, dataset: Dataset, outcome: Outcome, saved: Path, started: float) -> dict[str, Any]:
    """Return what training.json holds."""
    contract: Contract = load_contract(saved)
    training = sum(record["seconds"] for record in outcome.history)
    images = outcome.loop.steps * outcome.loop.batch
    return {
        "network": outcome.model.name,
        "model": request.model,
        "parameters": outcome.model.count_params(),
        "recipe": asdict(outcome.recipe),
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


def metrics_of(outcome: Outcome) -> dict[str, float]:
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
