"""What a run on this machine reads: paths made absolute, data and networks identified by their content."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from deep_mnist.contract.contract import ContractError
from deep_mnist.contract.loadable import require_loadable
from deep_mnist.data.known import KNOWN
from deep_mnist.doctor.command.kinds import Kind, kind_of
from deep_mnist.doctor.command.refusals import NOT_JUDGED, WHOLE
from deep_mnist.storage.address import is_address, is_store_address, store_schemes
from pipeline.digests import digest_of_data, digest_of_file
from pipeline.local.process import refuse_python3
from pipeline.run_arguments import RunArguments, UsageError, complete


def local_arguments(*, runs: Path, gpu: str, store: str, **options: Any) -> RunArguments:
    """Return the arguments of a run on this machine.

    Args:
        runs: Folder for runs; checkpoints go below it.
        gpu: "0", or how many GPUs training must have.
        store: The model registry, a folder or an address.
        options: Those of `pipeline.command_options.run_options`.

    Raises:
        UsageError: An input that cannot be: unknown dataset or network, missing file, unusable path.
    """
    dataset = _dataset(options.pop("dataset"))
    model = _model(options.pop("model"), dataset, options["network"])
    _require_count(gpu)
    if not store:
        raise UsageError("Expected STORE to be a folder or an address. Received: ''. Fix: --store ./registry")
    rules = _own_file(options.pop("rules"), "RULES", "a Python file")
    labels = _own_file(options.pop("labels", ""), "LABELS", "a labels.yaml")
    arguments = complete(
        dataset=dataset,
        dataset_digest=digest_of_data(dataset),
        model=model,
        model_digest=digest_of_file(model, "MODEL"),
        rules=rules,
        rules_digest=digest_of_file(rules, "RULES"),
        labels=labels,
        labels_digest=digest_of_file(labels, "LABELS"),
        require_gpu=gpu not in ("", "0"),
        checkpoints=str(runs.resolve() / ".checkpoints"),
        registry=store if is_address(store) else str(Path(store.removeprefix("file://")).resolve()),
        **options,
    )
    for name, value in arguments.to_dict().items():
        refuse_python3(value, name)
    _require_writable(arguments.registry)
    return arguments


def _dataset(value: str) -> str:
    if value in KNOWN or is_address(value):
        return value
    path = Path(value.removeprefix("file://"))
    if not value or not path.exists():
        known = ", ".join(KNOWN)
        raise UsageError(
            f"Expected DATASET to be one of {known}, a folder, or an address ({store_schemes()} or https://). "
            f"Received: {value!r}."
        )
    return str(path.resolve())


def _model(value: str, dataset: str, network: str) -> str:
    """Return the user's own network; a folder of data that holds model.keras brings its own."""
    beside = Path(dataset) / "model.keras"
    if not value and network == "fast" and not is_address(dataset) and beside.is_file():
        print(f"The folder brings its own network: {beside}", file=sys.stderr)
        value = str(beside)
    path = _own_file(value, "MODEL", "a .keras file")
    if path and not is_store_address(path):
        _require_model(Path(path))
    return path


def _require_model(path: Path) -> None:
    """Find out now, not in training, that a file is no network that can be loaded."""
    kind = kind_of(path)
    if kind is not Kind.KERAS:
        loaded = f'keras.saving.load_model("{path.name}").save("{path.stem}.keras")'
        fix = loaded if kind is Kind.HDF5 else NOT_JUDGED.get(kind, ("", WHOLE))[1]
        raise UsageError(f"Expected MODEL to be a .keras file. Received: {path}, {kind}. Fix: {fix}")
    try:
        require_loadable(path)
    except ContractError as error:
        raise UsageError(str(error)) from error


def _require_count(gpu: str) -> None:
    if gpu and not gpu.isdecimal():
        raise UsageError(f"Expected GPU to be a number of GPUs, 0 for what is here. Received: {gpu!r}. Fix: --gpu 1")


def _own_file(value: str, name: str, form: str) -> str:
    if not value or is_store_address(value):
        return value
    path = Path(value.removeprefix("file://"))
    if not path.is_file():
        received = "a folder" if path.is_dir() else "and no such file"
        raise UsageError(
            f"Expected {name} to be {form} or its address ({store_schemes()}). Received: {value!r}, {received}."
        )
    return str(path.resolve())


def _require_writable(registry: str) -> None:
    """Find out now, not after the training, that a folder cannot be written."""
    if is_address(registry):
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
