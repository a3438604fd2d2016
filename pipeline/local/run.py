"""`python -m pipeline run`: what `make run` calls."""

from __future__ import annotations

import hashlib
import re
import secrets
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from deep_mnist.contract.load import resolve_contract
from deep_mnist.data.known import KNOWN
from deep_mnist.data.transfer import cache_folder
from deep_mnist.storage.open import fetch, open_store
from deep_mnist.storage.store import StorageError, sha256_of_file
from pipeline.containers.engine import ContainersError
from pipeline.containers.runner import require_ready
from pipeline.local.display import display
from pipeline.local.outcome import outcome_of
from pipeline.local.process import UsageError, refuse_python3, run_here
from pipeline.local.report import write_report

BUILT_IN_DATASETS = tuple(KNOWN)
ADDRESS = re.compile(r"^(https?|gs)://")
# (accuracy, per-class accuracy) below which no model is promoted; a user's own data may be harder than MNIST.
FLOORS = {"mnist": (0.95, 0.90), "fashion-mnist": (0.80, 0.50)}
OWN_FLOORS = (0.50, 0.0)


@click.command()
@click.option("--dataset", default="mnist", show_default=True, help="mnist, fashion-mnist, a folder, gs:// or https://")
@click.option("--network", default="fast", show_default=True, help="fast, deep_mnist, example1, example2 or example3")
@click.option("--model", default="", help="Your own network: a .keras file, path or gs://; takes --network's place.")
@click.option("--epochs", type=click.IntRange(0), default=0, help="0: as many as the network's recipe says.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True)
@click.option("--store", default="./registry", show_default=True, help="The model registry: a folder or gs://.")
@click.option("--model-name", default="", help="Name in the registry; default: the dataset's.")
@click.option("--gpu", default="0", show_default=True, help="GPUs that training must have; 0 takes what is there.")
@click.option("--runs", type=click.Path(path_type=Path), default="./runs", show_default=True, help="Folder for runs.")
@click.option(
    "--preparation",
    type=click.Choice(["auto", "contract", "none"]),
    default="auto",
    show_default=True,
    help="auto: raw uint8 images and integer labels become what the network asks for, all else passes unchanged; "
    "contract: must be raw; none: nothing is changed.",
)
@click.option("--validation-fraction", type=click.FloatRange(0, 0.5, min_open=True, max_open=True), default=1 / 12)
@click.option("--min-accuracy", type=click.FloatRange(0, 1), help="Floor for promotion; default by dataset.")
@click.option("--min-class-accuracy", type=click.FloatRange(0, 1), help="Floor for each class; default by dataset.")
@click.option("--confidence", type=click.FloatRange(0.5, 1, max_open=True), default=0.95, show_default=True)
@click.option("--require-promotion", is_flag=True, help="A model that is not promoted fails the run.")
@click.option("--docker", is_flag=True, help="Each step in its container; `make images` builds them.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the last line.")
def run(runs: Path, docker: bool, as_json: bool, **asked: Any) -> None:
    """Run the whole pipeline here; the last line says how it ended (exit status 0, or 1 when it failed)."""
    console = Console(stderr=as_json, soft_wrap=True)
    try:
        arguments = pipeline_arguments(runs=runs, **asked)
        mounts = _mounts(arguments, runs) if docker else ()
        with display(console, quiet=as_json) as shown:
            ended = run_here(arguments, runs, containers=docker, mounts=mounts, on_change=shown)
            shown(ended)
    except UsageError as error:
        raise click.UsageError(str(error)) from error
    sys.exit(_conclude(ended, console, as_json))


def _conclude(ended: Any, console: Console, as_json: bool) -> int:
    path = ended.folder / "report.html"
    outcome = outcome_of(ended, _short(path))
    try:
        write_report(ended, outcome, path)
        (ended.folder / "outcome.json").write_text(outcome.to_json() + "\n")
    except OSError as error:
        console.print(f"Expected to write {path}. Received: {error.strerror}.", markup=False, highlight=False)
    if as_json:
        print(outcome.to_json(), flush=True)
        return outcome.exit_status
    if outcome.exit_status:
        console.print(outcome.reason, markup=False, highlight=False)
    print(outcome.line, flush=True)
    return outcome.exit_status


def _short(path: Path) -> Path:
    """Return the path relative to where the user stands, when it lies below."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def pipeline_arguments(*, runs: Path, **asked: Any) -> dict[str, Any]:
    """Return the pipeline's arguments for a run here: paths made absolute, inputs identified by their content.

    Raises:
        UsageError: An input that cannot be: unknown dataset or network, missing file, unusable path.
    """
    dataset = _dataset(asked["dataset"])
    model = _model(asked["model"], dataset, asked["network"])
    if not model:
        _known_network(asked["network"])
    accuracy, class_accuracy = FLOORS.get(dataset, OWN_FLOORS)
    store = asked["store"]
    arguments = {
        "dataset": dataset,
        "dataset_digest": _digest_of_data(dataset),
        "network": asked["network"],
        "model": model,
        "model_digest": digest_of_model(model),
        "preparation": asked["preparation"],
        "validation_fraction": asked["validation_fraction"],
        "epochs": asked["epochs"],
        "seed": asked["seed"],
        "require_gpu": str(asked["gpu"]) not in ("", "0"),
        "checkpoints": str(runs.resolve() / ".checkpoints"),
        "registry": store if ADDRESS.match(store) else str(Path(store.removeprefix("file://")).resolve()),
        "model_name": asked["model_name"] or model_name_for(dataset),
        "min_accuracy": accuracy if asked["min_accuracy"] is None else asked["min_accuracy"],
        "min_class_accuracy": class_accuracy if asked["min_class_accuracy"] is None else asked["min_class_accuracy"],
        "confidence": asked["confidence"],
        "require_promotion": asked["require_promotion"],
    }
    for name, value in arguments.items():
        refuse_python3(value, name)
    _writable_registry(arguments["registry"])
    return arguments


def _dataset(given: str) -> str:
    if given in BUILT_IN_DATASETS or ADDRESS.match(given):
        return given
    path = Path(given.removeprefix("file://"))
    if not given or not path.exists():
        known = ", ".join(BUILT_IN_DATASETS)
        raise UsageError(
            f"Expected DATASET to be one of {known}, a folder, or a gs:// or https:// address. Received: {given!r}."
        )
    return str(path.resolve())


def _model(given: str, dataset: str, network: str) -> str:
    """Return the user's own network; a folder of data that holds model.keras brings its own."""
    beside = Path(dataset) / "model.keras"
    if not given and network == "fast" and not ADDRESS.match(dataset) and beside.is_file():
        print(f"The folder brings its own network: {beside}", file=sys.stderr)
        return str(beside)
    if not given or given.startswith("gs://"):
        return given
    path = Path(given.removeprefix("file://"))
    if not path.exists():
        raise UsageError(
            f"Expected MODEL to be a .keras file or its gs:// address. Received: {given!r}, and no such file."
        )
    return str(path.resolve())


def _known_network(name: str) -> None:
    try:
        resolve_contract(name, "")
    except ValueError as error:
        raise UsageError(str(error)) from error


def model_name_for(dataset: str) -> str:
    """Return the registry name for a dataset: its own name, or the last part of its path."""
    if dataset in BUILT_IN_DATASETS:
        return dataset
    last = dataset.partition("#")[0].rstrip("/").rpartition("/")[2].removesuffix(".npz")
    return re.sub(r"[^a-z0-9-]+", "-", last.lower()).strip("-") or "own"


def _digest_of_data(dataset: str) -> str:
    """Return what identifies the data now, so that changed data never return an old result."""
    if dataset in BUILT_IN_DATASETS or "#sha256=" in dataset:
        return "pinned"
    if dataset.startswith("gs://"):
        if Path(dataset).suffix == ".npz":
            folder, _, name = dataset.rpartition("/")
            return _digest(str(open_store(folder).describe(name)))
        store = open_store(dataset)
        return _digest(*(str(store.describe(name)) for name in sorted(store.list(""))))
    if ADDRESS.match(dataset):
        return secrets.token_hex(8)  # who serves it may change it at any time: always fetched anew
    path = Path(dataset)
    files = sorted(each for each in path.iterdir() if each.is_file()) if path.is_dir() else [path]
    return _digest(*(f"{each.name} {sha256_of_file(each)}" for each in files))


def digest_of_model(model: str) -> str:
    """Return the SHA-256 of a user's network, by a path or a gs:// address; training demands the same file."""
    if not model or Path(model).is_dir():  # a folder is no network that can be trained, as validate will say
        return ""
    if not ADDRESS.match(model):
        return sha256_of_file(Path(model))
    with tempfile.TemporaryDirectory() as folder:
        try:
            fetch(model, Path(folder) / "model.keras")
        except StorageError as error:
            raise UsageError(f"Expected to read MODEL={model}. Received: {error}") from error
        return sha256_of_file(Path(folder) / "model.keras")


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _writable_registry(registry: str) -> None:
    """Find out now, not after the training, that a folder cannot be written."""
    if ADDRESS.match(registry):
        return
    path = Path(registry)
    while not path.exists():
        path = path.parent
    try:
        tempfile.TemporaryFile(dir=path).close()
    except OSError as error:
        raise UsageError(
            f"Expected STORE to be a folder that can be written. Received: {registry} ({path}: {error.strerror})."
        ) from error


def _mounts(arguments: dict[str, Any], runs: Path) -> tuple[tuple[str, bool], ...]:
    """Return the host paths that the containers need, each with whether it is read only."""
    Path(arguments["checkpoints"]).mkdir(parents=True, exist_ok=True)
    cache_folder().mkdir(parents=True, exist_ok=True)
    paths = [(str(runs.resolve()), False), (str(cache_folder().resolve()), False)]
    if not ADDRESS.match(arguments["registry"]):
        Path(arguments["registry"]).mkdir(parents=True, exist_ok=True)
        paths.append((arguments["registry"], False))
    for name in ("dataset", "model"):
        if arguments[name].startswith("/"):
            paths.append((arguments[name], True))
    _require_containers(paths, gpu=arguments["require_gpu"])
    return tuple(paths)


def _require_containers(paths: list[tuple[str, bool]], *, gpu: bool) -> None:
    """Find out now, not in the first step, that containers cannot be used."""
    try:
        require_ready([(Path(path), read_only) for path, read_only in paths], gpu=gpu)
    except ContainersError as error:
        raise UsageError(str(error)) from error
