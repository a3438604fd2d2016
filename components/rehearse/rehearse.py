"""The implementation of rehearse: the network that `train` will train, on a sample of its data, in a child process."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from components.train.networks import find_network
from deep_mnist.contract.folder import contract_of
from deep_mnist.data.dataset import open_dataset
from deep_mnist.doctor.acceptance import choices_of
from deep_mnist.doctor.case import Case, read_splits
from deep_mnist.doctor.diagnosis import Diagnosis
from deep_mnist.doctor.finish import with_more
from deep_mnist.doctor.rehearsal.process import rehearse_file
from deep_mnist.storage.open import fetch
from deep_mnist.storage.store import sha256_of_file

BATCH = 32


class AlteredModelError(ValueError):
    """The user's network is not the file that was validated."""

    fix = "run it again: the model was changed after the run had begun"


def rehearse_dataset(
    folder: Path,
    *,
    network: str = "fast",
    model: str = "",
    model_digest: str = "",
    epochs: int = 0,
    accept: Sequence[Mapping[str, Any]] = (),
    ignore: Sequence[str] = (),
    **limits: Any,
) -> Diagnosis:
    """Return what a rehearsal of the network on the training split showed.

    Args:
        folder: A dataset that preprocess wrote.
        network: Name of a built-in network, used when `model` is empty.
        model: Path, file://, gs:// or s3:// address of a user's own `.keras`.
        model_digest: SHA-256 that this file must have, or "".
        epochs: Of the training, for the note on cost; 0 means the network's own number.
        accept: Findings that a person takes responsibility for.
        ignore: Codes or names of rules that are not judged.
        **limits: seconds, memory_bytes and limit_seconds of `rehearse_file`.

    Raises:
        AlteredModelError: The user's file has another digest.
        DatasetError: The folder was altered.
    """
    started = time.perf_counter()
    dataset = open_dataset(folder)
    with tempfile.TemporaryDirectory() as work:
        path = Path(work) / "model.keras"
        own_epochs = _write_model(path, network, model, model_digest)
        arrays = [folder / f"train_{kind}.npy" for kind in ("images", "labels")]
        found = rehearse_file(path, arrays[0], arrays[1], batch_size=BATCH, epochs=epochs or own_epochs, **limits)
    case = Case(folder, read_splits(folder), contract_of(dataset), dataset.record, {})
    # Entries that match nothing here may be meant for validate.
    choices = choices_of([*accept], ignore)
    return with_more(Diagnosis([], 0.0, case), found, choices, time.perf_counter() - started, is_last=False)


def _write_model(path: Path, network: str, model: str, digest: str) -> int:
    """Write the network's `.keras` file and return how many epochs its recipe has."""
    if not model:
        sized = find_network(network).sized_for("CPU")
        sized.build().save(path)
        return sized.recipe.epochs
    fetch(model, path)
    received = sha256_of_file(path)
    if digest and received != digest:
        raise AlteredModelError(f"Expected {model} with SHA-256 {digest}. Received: {received}. Fix: Run it again.")
    return 1
