"""Train a network on a verified dataset folder and write everything that is known of how.

The trained folder holds model.keras, history.json, training.json, preprocessing.json and calibration.json.
"""

from __future__ import annotations

import json
import time
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from rich.console import Console

from components.images import code_digest
from components.train.checkpoint import Checkpoints
from components.train.device import Device, find_device, set_threads
from components.train.examples.opened import open_training_data
from components.train.examples.split import TrainingSplit
from components.train.fit import TrainingRun
from components.train.loop import Loop
from components.train.networks import Recipe, find_network
from components.train.nodes.collective import Nodes, make_strategy
from components.train.nodes.place import Place, place_here
from components.train.outcome import TrainingOutcome, metrics_of, versions, write_trained
from components.train.own_model import load_own_model
from components.train.request import TrainRequest, recipe_of
from components.train.shown.progress import Report
from components.train.trainee import Trainee, built_in_trainee, own_trainee
from components.train.views import with_views
from deep_mnist.contract.folder import contract_of
from deep_mnist.data.dataset import Dataset, DatasetError, Preprocessing
from deep_mnist.doctor.rehearsal.vitals import PROBED, look_into
from deep_mnist.doctor.rehearsal.watchdog import Watch


def train(folder: Path, trained: Path, curves: Path, request: TrainRequest) -> dict[str, float]:
    """Train on `folder`, write the `trained` folder and the `curves` page, and return the metrics."""
    started, place = time.time(), place_here()
    set_threads(parts_of(recipe_of(request, "CPU"), place))
    strategy = make_strategy(place)
    device = find_device(require_gpu=request.require_gpu)
    recipe = recipe_of(request, device.kind)
    dataset, train_split, validation = open_training_data(folder)
    request = pinned(request, dataset)
    identity = identity_of(request, recipe, dataset, device)
    checkpoints = Checkpoints(
        request.checkpoints,
        identity,
        every=request.checkpoint_seconds,
        output=str(trained.absolute()),
        writes=place.is_first,
    )
    recipe = replace(recipe, parts=parts_of(recipe, place))
    nodes = Nodes(place, strategy)
    outcome = fit(request, recipe, dataset, (train_split, validation), device, checkpoints, nodes)
    if place.is_first:
        write_trained(trained, curves, request, dataset, outcome, validation, started)
        checkpoints.settle()
    return metrics_of(outcome)


def parts_of(recipe: Recipe, place: Place) -> int:
    """Return into how many parts each node cuts its share of a batch: those of the recipe are dealt to the nodes."""
    return max(1, recipe.parts // place.count)


def pinned(request: TrainRequest, dataset: Dataset) -> TrainRequest:
    """Return the request with the SHA-256 of the user's own network that the dataset was made and judged for.

    Raises:
        DatasetError: The dataset was made for another file.
    """
    if not request.model:
        return request
    digest = contract_of(dataset).model_digest
    if request.model_digest not in ("", digest):
        raise DatasetError(
            f"Expected a dataset made for {request.model} with SHA-256 {request.model_digest}. "
            f"Received: one for {digest or 'a folder'}. Fix: rerun preprocess"
        )
    return replace(request, model_digest=digest)


def identity_of(request: TrainRequest, recipe: Recipe, dataset: Dataset, device: Device) -> dict[str, Any]:
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
    request: TrainRequest,
    recipe: Recipe,
    dataset: Dataset,
    splits: tuple[TrainingSplit, TrainingSplit],
    device: Device,
    checkpoints: Checkpoints,
    nodes: Nodes,
) -> TrainingOutcome:
    """Build the network and train it to the end."""
    began = time.perf_counter()
    train_split, validation = splits
    keras.utils.set_random_seed(request.seed)
    strategy, place = nodes.strategy or device.strategy(), nodes.place
    resident = train_split.nbytes <= request.limit()
    with strategy.scope() if strategy else nullcontext():
        trainee = make_trainee(request, recipe, dataset.record, device)
    loop = Loop(
        trainee,
        recipe,
        train_split,
        seed=request.seed,
        device=device,
        resident=resident,
        strategy=strategy,
        place=place,
    )
    print(line_of(loop, validation, request.seed), flush=True)
    watch = watch_over(
        trainee, train_split, recipe.peak_rate or float(np.asarray(trainee.model.optimizer.learning_rate))
    )
    report = Report(loop.steps, recipe.epochs, None if place.is_first else Console(quiet=True))
    training = TrainingRun(loop, validation, checkpoints, watch, report, nodes)
    history = training.run()
    model = with_views(trainee.finish(), recipe.views)
    seconds = time.perf_counter() - began
    own = training.work.seconds / max(1, training.work.steps)
    together = {"count": place.count, "own_seconds_per_step": own.tolist() if place.count > 1 else []}
    return TrainingOutcome(model, recipe, history, device, loop, seconds, training.first_call_seconds, together)


def line_of(loop: Loop, validation: TrainingSplit, seed: int) -> str:
    """Return what is trained on what, in one line."""
    final, place = loop.trainee.final, loop.place
    where = "on the device" if loop.resident else "streamed"
    nodes = f"{place.count} nodes; " if place.count > 1 else ""
    return (
        f"train: {final.name}, {final.count_params()} parameters; {len(loop.train)} images {where}, "
        f"{loop.recipe.epochs} epochs of {loop.steps_per_epoch} steps of {loop.batch}; {nodes}"
        f"{len(validation)} images to validate; seed {seed}"
    )


def make_trainee(request: TrainRequest, recipe: Recipe, record: Preprocessing | None, device: Device) -> Trainee:
    """Return the model to train; the user's own is loaded and checked here."""
    if request.model:
        if record is None:
            raise ValueError("Expected a preprocessing record. Received: none. Fix: Rerun preprocess.")
        return own_trainee(load_own_model(request.model, request.model_digest, record))
    network = find_network(request.network).sized_for(device.kind).build()
    return built_in_trainee(
        network,
        bfloat16=recipe.bfloat16 and device.bfloat16,
        fused=device.kind == "CPU",
        smoothing=recipe.smoothing,
        muon=recipe.muon,
    )


def watch_over(trainee: Trainee, train: TrainingSplit, rate: float) -> Watch:
    """Return the doctor's watchdog for a training on a split."""
    images, labels = np.asarray(train.images[:PROBED]), np.asarray(train.labels[:PROBED])
    return Watch(lambda: look_into(trainee.model, trainee.loss, images, labels), train.labels, rate)
