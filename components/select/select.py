"""Which of a sweep's trials is the best, by validation accuracy alone: the test split judges only the one selected.

Equal accuracies are told apart by the validation loss, then by the smaller network, then by name and seed: the same
trials always give the same best one, in whatever order they arrive.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deep_mnist.data.dataset import Dataset, DatasetError, open_dataset
from deep_mnist.html import page, template

_BODY = template(Path(__file__).with_name("table.html.j2"))


class IncomparableTrialsError(ValueError):
    """The trials were not held to the same validation examples, or a trial is not whole."""

    fix = "train every trial on the same data, seed of the split and validation fraction"


@dataclass(frozen=True)
class Trial:
    """One trained model of a sweep.

    Attributes:
        network: Its name.
        seed: Of its weights, order and augmentation.
        validation_accuracy: 0..1, after the last epoch.
        validation_loss: Mean over the validation split.
        parameters: How many the network has.
        epochs: How many it was trained for.
        dataset_digest: Of the dataset it was trained on.
        folder: What train wrote.
    """

    network: str
    seed: int
    validation_accuracy: float
    validation_loss: float
    parameters: int
    epochs: int
    dataset_digest: str
    folder: Path

    @property
    def name(self) -> str:
        return f"{self.network} seed {self.seed}"

    @property
    def rank(self) -> tuple[Any, ...]:
        """Sorts the best trial first."""
        return (-self.validation_accuracy, self.validation_loss, self.parameters, self.network, self.seed)


def select_best(
    datasets: Sequence[Path], models: Sequence[Path], *, dataset: Path, trained: Path, trials: Path, table: Path
) -> str:
    """Copy the best trial's dataset and model, write how all trials did, and return the best one's name.

    Raises:
        IncomparableTrialsError: No trial, a dataset that is missing, or other validation examples in one of them.
        DatasetError: A dataset is not whole.
    """
    ranked = sorted((read_trial(folder) for folder in models), key=lambda trial: trial.rank)
    if not ranked:
        raise IncomparableTrialsError("Expected at least one trial. Received: none. Fix: name seeds and networks")
    opened = {each.digest: each for each in (open_dataset(folder) for folder in datasets)}
    _require_comparable(ranked, opened)
    best = ranked[0]
    shutil.copytree(opened[best.dataset_digest].folder, dataset, dirs_exist_ok=True)
    shutil.copytree(best.folder, trained, dirs_exist_ok=True)
    rows = [{name: value for name, value in asdict(each).items() if name != "folder"} for each in ranked]
    for path in (trials, table):
        path.parent.mkdir(parents=True, exist_ok=True)
    trials.write_text(json.dumps({"best": best.name, "trials": rows}, indent=1, allow_nan=False) + "\n")
    table.write_text(page("Trials", _BODY.render(trials=ranked)))
    for each in ranked:
        print(f"select: {each.name}: validation accuracy {each.validation_accuracy:.4f}", flush=True)
    print(f"select: the best of {len(ranked)} is {best.name}", flush=True)
    return best.name


def read_trial(folder: Path) -> Trial:
    """Return what a training wrote of itself.

    Raises:
        IncomparableTrialsError: A file is missing or lacks something.
    """
    try:
        facts = json.loads((folder / "training.json").read_text())
        epochs = json.loads((folder / "history.json").read_text())["epochs"]
        return Trial(
            network=str(facts["network"]),
            seed=int(facts["seed"]),
            validation_accuracy=float(epochs[-1]["val_accuracy"]),
            validation_loss=float(epochs[-1]["val_loss"]),
            parameters=int(facts["parameters"]),
            epochs=len(epochs),
            dataset_digest=str(facts["dataset_digest"]),
            folder=folder,
        )
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise IncomparableTrialsError(
            f"Expected training.json and history.json of a finished training in {folder}. Received: {error!r}. "
            "Fix: rerun train."
        ) from error


def _require_comparable(trials: Sequence[Trial], datasets: dict[str, Dataset]) -> None:
    """Refuse trials that saw other validation examples: their accuracies say nothing about each other."""
    missing = sorted({trial.dataset_digest[:12] for trial in trials if trial.dataset_digest not in datasets})
    if missing:
        raise IncomparableTrialsError(
            f"Expected the dataset of every trial. Received: none with the digests {missing}. Fix: rerun preprocess."
        )
    splits = {_split_of(datasets[trial.dataset_digest]) for trial in trials}
    if len(splits) > 1:
        raise IncomparableTrialsError(
            f"Expected one split of one source in all trials. Received: {len(splits)} different ones. "
            "Fix: the same data, seed of the split and validation fraction for all"
        )


def _split_of(dataset: Dataset) -> tuple[Any, ...]:
    """Return what decides which examples are in the validation split, however a network wants them stored."""
    record = dataset.record
    if record is None:
        raise DatasetError(f"Expected a preprocessing record in {dataset.folder}. Received: none. Rerun preprocess.")
    return (tuple(sorted(record.source_digests.items())), record.split_seed, record.validation_fraction)
