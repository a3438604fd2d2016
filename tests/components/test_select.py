"""The best trial by validation accuracy is passed on whole, whatever the order, and only among comparable trials."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from components.select.select import IncomparableTrialsError, select_best
from deep_mnist.data.dataset import DatasetError, open_dataset
from tests.support.trained import FLOATS, make_dataset, make_record


@pytest.fixture
def datasets(tmp_path: Path) -> list[Path]:
    """The same raw digits as two networks want them stored."""
    return [
        make_dataset(tmp_path / "bytes", make_record(), train=40, test=20),
        make_dataset(tmp_path / "floats", make_record(**FLOATS), train=40, test=20),
    ]


def make_trial(
    folder: Path, dataset: Path, accuracy: float, *, loss: float = 0.1, parameters: int = 10, seed: int = 0
) -> Path:
    """Write what train writes, as far as select reads it, and a model file."""
    folder.mkdir()
    facts = {
        "network": folder.name,
        "seed": seed,
        "parameters": parameters,
        "dataset_digest": open_dataset(dataset).digest,
    }
    epochs = [{"val_accuracy": 0.999, "val_loss": 0.0}, {"val_accuracy": accuracy, "val_loss": loss}]
    (folder / "training.json").write_text(json.dumps(facts))
    (folder / "history.json").write_text(json.dumps({"epochs": epochs}))
    (folder / "model.keras").write_text(f"model {folder.name}")
    return folder


def select(tmp_path: Path, datasets: list[Path], models: list[Path]) -> str:
    out = tmp_path / "out"
    paths = {name: out / name for name in ("dataset", "trained", "trials", "table")}
    return select_best(datasets, models, **paths)


def test_the_best_goes_on_with_its_own_data(tmp_path: Path, datasets: list[Path]) -> None:
    """The highest accuracy after the last epoch wins; its model and the dataset it was trained on are passed on."""
    models = [
        make_trial(tmp_path / "low", datasets[0], 0.90),
        make_trial(tmp_path / "high", datasets[1], 0.95, seed=3),
        make_trial(tmp_path / "middle", datasets[0], 0.93),
    ]

    assert "high seed 3" == select(tmp_path, datasets, models)
    assert "model high" == (tmp_path / "out/trained/model.keras").read_text()
    assert open_dataset(datasets[1]).digest == open_dataset(tmp_path / "out/dataset").digest
    ranked = json.loads((tmp_path / "out/trials").read_text())
    assert ["high", "middle", "low"] == [each["network"] for each in ranked["trials"]]
    assert [0.95, 0.93, 0.90] == [each["validation_accuracy"] for each in ranked["trials"]]
    assert "high seed 3" == ranked["best"]
    assert "0.9500" in (tmp_path / "out/table").read_text()


def test_a_tie_is_decided_the_same_way_in_any_order(tmp_path: Path, datasets: list[Path]) -> None:
    """Of equal accuracies the lower loss wins, then fewer parameters, however the trials are shuffled."""
    models = [
        make_trial(tmp_path / "large", datasets[0], 0.9, loss=0.2, parameters=100),
        make_trial(tmp_path / "small", datasets[0], 0.9, loss=0.2, parameters=50),
        make_trial(tmp_path / "lossy", datasets[0], 0.9, loss=0.3, parameters=1),
    ]
    found = set()
    for seed in range(6):
        random.Random(seed).shuffle(models)
        found.add(select(tmp_path, list(reversed(datasets)), models))

    assert {"small seed 0"} == found


def test_other_validation_examples_are_not_compared(tmp_path: Path, datasets: list[Path]) -> None:
    """A trial whose split has another seed has seen other examples: its accuracy says nothing here."""
    other = make_dataset(tmp_path / "other", make_record(split_seed=1), train=40, test=20, seed=1)
    models = [make_trial(tmp_path / "a", datasets[0], 0.9), make_trial(tmp_path / "b", other, 0.95)]
    with pytest.raises(IncomparableTrialsError, match="Received: 2 different ones"):
        select(tmp_path, [*datasets, other], models)


def test_what_is_not_whole_is_refused(tmp_path: Path, datasets: list[Path]) -> None:
    """No trial, a training that never ended, a dataset that is not there or was altered: each is said."""
    with pytest.raises(IncomparableTrialsError, match="at least one trial"):
        select(tmp_path, datasets, [])
    good, bad = make_trial(tmp_path / "good", datasets[0], 0.9), make_trial(tmp_path / "bad", datasets[0], 0.9)
    (bad / "history.json").write_text('{"epochs": []}')
    with pytest.raises(IncomparableTrialsError, match=r"finished training in .*bad"):
        select(tmp_path, datasets, [good, bad])
    with pytest.raises(IncomparableTrialsError, match="Expected the dataset of every trial"):
        select(tmp_path, datasets[1:], [good])
    (datasets[0] / "train_images.npy").write_bytes(b"")
    with pytest.raises(DatasetError):
        select(tmp_path, datasets, [good])
