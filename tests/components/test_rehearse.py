"""The rehearsal as a step: it succeeds with a report whatever it finds, and the gate behind it stops the run."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from components.rehearse.component import rehearse, require_rehearsed
from components.rehearse.rehearse import AlteredModelError, rehearse_dataset
from components.verdict import UnfitNetworkError
from deep_mnist.contract.contract import Contract
from deep_mnist.contract.folder import write_contract
from deep_mnist.data.dataset import DatasetError
from tests.support.artifacts import Artifact
from tests.support.trained import FLOATS, make_dataset, make_record

pytestmark = pytest.mark.usefixtures("fresh_processes")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_contract(folder, Contract(name="own", input_shape=(28, 28, 1)))
    return make_dataset(folder, make_record(**FLOATS), train=300, test=60)


def own_network(folder: Path, optimizer: object) -> Path:
    model = keras.Sequential(
        [keras.Input((28, 28, 1)), layers.Flatten(), layers.Dense(32, activation="relu"), layers.Dense(10, "softmax")]
    )
    model.compile(optimizer, "sparse_categorical_crossentropy")
    model.save(folder / "own.keras")
    return folder / "own.keras"


def run_steps(folder: Path, dataset: Path, model: Path, accept: list) -> str:
    outputs = {name: Artifact(folder / "out" / name) for name in ("findings", "report", "summary")}
    found = rehearse.python_func(
        dataset=Artifact(dataset), ready="fit", network="fast", model=str(model), model_digest="", epochs=2,
        accept=accept, ignore=[], **outputs,
    )  # fmt: skip
    assert json.loads(Path(outputs["findings"].path).read_text())["verdict"] == found.verdict
    assert Path(outputs["report"].path).read_text().startswith("<!doctype html>")
    return require_rehearsed.python_func(findings=outputs["findings"], verdict=found.verdict)


def test_a_sound_network_passes(tmp_path: Path, dataset: Path) -> None:
    """The gate returns the token that train waits for."""
    assert run_steps(tmp_path, dataset, own_network(tmp_path, "adam"), []) == "fit"


def test_a_rate_that_cannot_train_stops_the_run(tmp_path: Path, dataset: Path) -> None:
    """The step leaves its report and the gate tells the field, the evidence and the fix; a person may accept it."""
    model = own_network(tmp_path, keras.optimizers.SGD(1e4))

    with pytest.raises(UnfitNetworkError, match=r"(?s)rehearsal\..*Expected:.*Received:.*Fix:.*learning_rate"):
        run_steps(tmp_path, dataset, model, [])
    findings = json.loads((tmp_path / "out" / "findings").read_text())["findings"]
    (error,) = [each for each in findings if each["severity"] == "error"]
    assert error["field"] in ("rehearsal.updates", "rehearsal.loss") and "learning_rate" in error["fix"]

    accept = [
        {"field": error["field"], "because": "a test of the gate"},
        {"field": "splits.order", "because": "sorted"},
    ]
    assert run_steps(tmp_path / "again", dataset, model, accept) == "fit"
    again = json.loads((tmp_path / "again" / "out" / "findings").read_text())["findings"]
    assert "splits.order" not in [each["field"] for each in again]  # that entry is for validate


def test_altered_files_are_refused(tmp_path: Path, dataset: Path) -> None:
    """A network with another digest and a dataset whose bytes changed are named before anything runs."""
    with pytest.raises(AlteredModelError, match=r"SHA-256 00.*Received"):
        rehearse_dataset(dataset, model=str(own_network(tmp_path, "adam")), model_digest="00")
    changed = make_dataset(tmp_path / "changed", make_record(**FLOATS), train=60, test=60)
    np.save(changed / "train_labels.npy", np.zeros(60, np.int32))
    with pytest.raises(DatasetError, match="train_labels"):
        rehearse_dataset(changed)
