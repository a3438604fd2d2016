"""A form is published where it predicts as the model does; whatever becomes of it, the others and the champion are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from components.publish.forms import make_forms
from components.publish.replay import write_golden_requests
from deep_mnist.data.dataset import open_dataset
from deep_mnist.export import TrainedNetwork
from deep_mnist.registry.judged_split import open_split
from tests.support.trained import make_dataset, make_record, train_network, write_trained

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`data`, `good`, a linear network, and `coarse`: the same, with a unit so great that it fills eight bits."""
    folder = tmp_path_factory.mktemp("forms")
    make_dataset(folder / "data", make_record())
    good = keras.saving.load_model(train_network(folder / "good", make_record()) / "model.keras")
    kernel, bias = good.layers[-1].get_weights()
    layers = [keras.Input((28, 28, 1), dtype="uint8"), keras.layers.Rescaling(1 / 255), keras.layers.Flatten()]
    coarse = keras.Sequential([*layers, keras.layers.Dense(11), keras.layers.Dense(10, activation="softmax")])
    coarse.layers[-2].set_weights([np.pad(kernel, ((0, 0), (0, 1))), np.append(bias, np.float32(1e5))])
    coarse.layers[-1].set_weights([np.eye(11, 10, dtype=np.float32), np.zeros(10, np.float32)])
    write_trained(folder / "coarse", coarse, make_record())
    return folder


def made(work: Path, name: str, folder: Path, *forms: str) -> tuple[float, dict[str, dict[str, Any]]]:
    """Return the model's accuracy and what was said of each form."""
    network, split = TrainedNetwork.load(work / name), open_split(open_dataset(work / "data"))
    write_golden_requests(network, split, folder)
    accuracy = float((network.predict(split.images, raw=True).argmax(axis=1) == split.labels).mean())
    found = make_forms(forms, work / name, work / "data", folder, accuracy)
    return accuracy, {each["name"]: each for each in found}


@pytest.mark.usefixtures("fresh_processes")
def test_a_form_that_loses_too_much_is_not_published(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Eight bits lose what a great unit drowns; the float form of the same network is published, and both are told."""
    accuracy, found = made(work, "coarse", tmp_path, "litert-int8", "litert")

    assert (True, accuracy) == (found["litert"]["published"], found["litert"]["accuracy"])
    assert not found["litert-int8"]["published"] and found["litert-int8"]["accuracy"] < accuracy - 0.005
    assert "more than 0.005 below the model's" in found["litert-int8"]["reason"]
    assert ["golden_requests.npz", "model.tflite"] == sorted(path.name for path in tmp_path.iterdir())
    assert "publish: litert-int8 is not published: accuracy" in capsys.readouterr().out


@pytest.mark.usefixtures("fresh_processes")
def test_a_form_that_cannot_be_made_costs_itself(work: Path, tmp_path: Path) -> None:
    """Where there is no such form of a network, its own fault is told, and nothing of it is left."""
    (work / "damaged").mkdir()
    for path in (work / "good").iterdir():
        (work / "damaged" / path.name).write_bytes(path.read_bytes())
    made(work, "good", tmp_path)
    (work / "damaged" / "model.keras").write_bytes(b"no zip")

    (found,) = make_forms(["onnx"], work / "damaged", work / "data", tmp_path, 0.9)

    assert not found["published"] and "ValueError" in found["reason"] and "\n" not in found["reason"]
    assert not (tmp_path / "model.onnx").exists()


def test_a_missing_package_is_named(work: Path, tmp_path: Path) -> None:
    """One line says what to install, from the very command that publish runs."""
    (tmp_path / "ai_edge_litert").mkdir()
    (tmp_path / "ai_edge_litert/__init__.py").write_text(
        "raise ModuleNotFoundError('No module', name='ai_edge_litert')"
    )
    paths = [str(work / "good"), str(work / "data"), str(tmp_path)]
    made(work, "good", tmp_path)

    command = [sys.executable, "-m", "components.publish.forms", "litert", *paths]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)

    fault = json.loads(done.stdout.splitlines()[-1])["fault"]
    assert 1 == done.returncode
    assert fault.startswith("Expected the package ai_edge_litert. Received: it is not installed. Fix: make .venv/forms")
