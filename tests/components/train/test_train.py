"""The training step's work: what it writes, what it refuses, and what it leaves unread."""

from __future__ import annotations

import json
import math
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from components.train.calibrate import calibrate
from components.train.contracts import contract_text
from components.train.device import NoUsableGPUError
from components.train.examples.split import TrainingSplit
from components.train.launch.step import train_from_paths
from components.train.networks import NETWORKS
from components.train.own_model import UnusableModelError
from components.train.request import TrainRequest
from deep_mnist.calibration import read_calibration
from deep_mnist.contract.load import CONTRACTS
from deep_mnist.data.dataset import DatasetError, open_dataset, seal_dataset
from tests.support.training_data import patterns, write_patterns


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of uint8 pixels and sparse labels."""
    return write_patterns(tmp_path_factory.mktemp("raw")).folder


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `raw`, with 160 images to train on."""
    return write_patterns(tmp_path_factory.mktemp("few"), train=160).folder


@pytest.fixture(scope="module")
def scaled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of float32 pixels in [0, 1] and one-hot labels."""
    return write_patterns(tmp_path_factory.mktemp("scaled"), one_hot=True).folder


def run(data: Path, out: Path, **request: object) -> dict[str, float]:
    return train_from_paths(str(data), str(out), str(out / "curves.html"), TrainRequest(**request))  # type: ignore[arg-type]


def read(path: Path) -> dict:
    return json.loads(path.read_text())


def save_own(folder: Path, *, compiled: bool = True) -> Path:
    """Save a small network that a user may have made, with settings unlike ours."""
    model = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), layers.Dense(10, activation="softmax")])
    if compiled:
        model.compile(keras.optimizers.SGD(0.05, momentum=0.5), "mse", metrics=["top_k_categorical_accuracy"])
    path = folder / "own.keras"
    model.save(path)
    return path


def test_training_writes_everything_that_is_known(raw: Path, tmp_path: Path) -> None:
    """The trained folder holds a float32 model that plain Keras loads and that has learned, and the whole record."""
    metrics = run(raw, tmp_path, network="fast", epochs=4, seed=3)
    assert {path.name for path in tmp_path.iterdir()} >= {
        "model.keras", "history.json", "training.json", "preprocessing.json", "calibration.json", "curves.html"
    }  # fmt: skip
    assert all(type(value) is float and math.isfinite(value) for value in metrics.values())
    images, labels = patterns(100, 2)
    model = keras.saving.load_model(tmp_path / "model.keras")
    predicted = model.predict(images, verbose=0)
    assert predicted.dtype == np.float32 and (predicted.argmax(1) == labels).mean() > 0.9
    facts = read(tmp_path / "training.json")
    assert facts["recipe"]["epochs"] == facts["requested_epochs"]  # `compare` reads both
    assert facts["seed"] == 3 and facts["dataset_digest"] == open_dataset(raw).digest
    assert facts["contract"]["input_dtype"] == "uint8" and facts["device"]["kind"] == "CPU"
    assert [each["epoch"] for each in read(tmp_path / "history.json")["epochs"]] == [1, 2, 3, 4]
    assert read(tmp_path / "preprocessing.json") == read(raw / "manifest.json")["preprocessing"]
    assert "<svg" in (tmp_path / "curves.html").read_text()
    fitted = read_calibration(tmp_path)
    assert fitted.abstained or (fitted.temperature < 1 and fitted.fitted_loss < fitted.loss)  # labels are smoothed


@pytest.mark.parametrize(
    ("outputs", "loss", "reason"),
    [
        (["softmax", "softmax"], "sparse_categorical_crossentropy", "the network has 2 outputs"),
        (["linear"], "mean_squared_error", "by mean_squared_error the network learns numbers"),
        (["sigmoid"], "binary_crossentropy", "each of its outputs is a sigmoid of its own"),
    ],
)
def test_what_has_no_temperature_is_told(
    outputs: list[str], loss: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two outputs, a regression and sigmoids of their own abstain, and the line says why."""
    images, labels = patterns(40, 1)
    image = keras.Input(images.shape[1:], dtype="uint8")
    flat = layers.Flatten()(layers.Rescaling(1 / 255)(image))
    model = keras.Model(image, [layers.Dense(10, activation=each)(flat) for each in outputs])

    found = calibrate(model, loss, TrainingSplit(images, labels))

    assert found.temperature == 1 and found.abstained.startswith(reason)
    assert f"train: no temperature was fitted: {reason}" in capsys.readouterr().out


def test_the_same_seed_gives_the_same_weights(few: Path, tmp_path: Path) -> None:
    """Two trainings with one seed agree bit for bit, and another seed gives other weights."""
    digests = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(few, tmp_path / name, network="deep_mnist", epochs=1, seed=seed)  # it has Dropout, too
        digests.append(read(tmp_path / name / "training.json")["weights_sha256"])
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("network", ["example2", "example3"])
def test_the_seeds_examples_train(scaled: Path, tmp_path: Path, network: str) -> None:
    """Examples 2 and 3 train on scaled pixels and one-hot labels, at Adam's own rate."""
    metrics = run(scaled, tmp_path, network=network, epochs=6)
    assert metrics["validation_accuracy"] > 0.8
    assert read(tmp_path / "history.json")["epochs"][0]["learning_rate"] == pytest.approx(0.001)


def test_data_larger_than_memory_are_streamed(scaled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Above the limit the training split is streamed from its files, with the very same result."""
    digests = []
    for name, limit in (("resident", 1 << 30), ("streamed", 1000)):
        run(scaled, tmp_path / name, network="example3", epochs=1, resident_bytes=limit)
        digests.append(read(tmp_path / name / "training.json")["weights_sha256"])
    assert digests[0] == digests[1]
    said = capsys.readouterr().out
    assert said.count(" images on the device") == said.count(" images streamed") == 1


def test_the_test_split_is_not_read(tmp_path: Path) -> None:
    """Training succeeds where the test split's files are no arrays at all."""
    dataset = write_patterns(tmp_path / "data", train=64)
    for kind in ("images", "labels"):
        (dataset.folder / f"test_{kind}.npy").write_bytes(b"not an array")
    seal_dataset(dataset.folder, dataset.record)
    run(dataset.folder, tmp_path / "out", network="fast", epochs=1)


def test_data_without_a_record_are_refused(tmp_path: Path) -> None:
    """Data that lack the preprocessing record are refused, with the step to rerun."""
    write_patterns(tmp_path / "data", record=False)
    with pytest.raises(DatasetError, match="Rerun preprocess"):
        run(tmp_path / "data", tmp_path / "out")


def test_altered_data_are_refused(tmp_path: Path) -> None:
    """A changed byte in the training images stops the step before any training."""
    folder = write_patterns(tmp_path / "data").folder
    with (folder / "train_images.npy").open("r+b") as stream:
        stream.seek(4000)
        stream.write(b"\xff\x00\xff")
    with pytest.raises(DatasetError, match="SHA-256"):
        run(folder, tmp_path / "out")


@pytest.mark.parametrize(
    ("request_", "message"),
    [({"network": "alexnet"}, "Expected a network of"), ({"epochs": -1}, "Expected epochs of 0")],
)
def test_impossible_requests_are_refused(raw: Path, tmp_path: Path, request_: dict, message: str) -> None:
    """An unknown network and a negative number of epochs are refused by name."""
    with pytest.raises(ValueError, match=message):
        run(raw, tmp_path, **request_)


def test_nothing_trains_without_the_pass(raw: Path, tmp_path: Path) -> None:
    """Without require_valid's token the step refuses to start."""
    with pytest.raises(ValueError, match="Run validate first"):
        train_from_paths(str(raw), str(tmp_path), str(tmp_path / "c.html"), TrainRequest(), ready="unfit")


def test_a_required_gpu_that_is_missing_stops_the_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With require_gpu and no GPU the step ends with the reason before it has read any data."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    with pytest.raises(NoUsableGPUError, match="CUDA_VISIBLE_DEVICES hides every GPU"):
        run(tmp_path / "no data here", tmp_path, require_gpu=True)


def test_a_users_compile_settings_are_respected(scaled: Path, tmp_path: Path) -> None:
    """A user's model trains with its own optimizer, rate, loss and metrics."""
    own = save_own(tmp_path)
    run(scaled, tmp_path / "out", model=f"file://{own}", epochs=2)
    history = read(tmp_path / "out" / "history.json")["epochs"]
    assert history[-1]["learning_rate"] == pytest.approx(0.05)
    assert 0 < history[-1]["val_top_k_categorical_accuracy"] <= 1
    assert history[-1]["loss"] < history[0]["loss"] < 0.2  # mean squared error, not a cross-entropy
    trained = keras.saving.load_model(tmp_path / "out" / "model.keras")
    assert trained.loss == "mse" and trained.optimizer.momentum == 0.5


def test_a_users_rate_schedule_is_kept(scaled: Path, tmp_path: Path) -> None:
    """A schedule inside the user's optimizer runs as it was compiled."""
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=20, decay_rate=0.5, staircase=True)
    model = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), layers.Dense(10, activation="softmax")])
    model.compile(keras.optimizers.SGD(schedule), "categorical_crossentropy")
    model.save(tmp_path / "own.keras")
    run(scaled, tmp_path / "out", model=str(tmp_path / "own.keras"), epochs=2)
    rates = [each["learning_rate"] for each in read(tmp_path / "out" / "history.json")["epochs"]]
    assert rates == pytest.approx([0.05, 0.025])  # 20 steps an epoch


def test_an_uncompiled_model_gets_stated_defaults(
    scaled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model without compile settings gets Adam and the cross-entropy that fits, and a line that says so."""
    metrics = run(scaled, tmp_path / "out", model=str(save_own(tmp_path, compiled=False)), epochs=3)
    assert "Adam and categorical_crossentropy (from_logits=False) used" in capsys.readouterr().out
    assert metrics["validation_accuracy"] > 0.8


def test_an_altered_model_is_refused(tmp_path: Path) -> None:
    """A model file that is not the one the data were judged for is refused by its digest."""
    write_patterns(tmp_path / "data", one_hot=True, model_digest="0" * 64)
    with pytest.raises(UnusableModelError, match="SHA-256"):
        run(tmp_path / "data", tmp_path / "out", model=str(save_own(tmp_path)))


def test_data_made_for_another_file_are_refused(scaled: Path, tmp_path: Path) -> None:
    """A run that pins one file does not train on data that were judged for another."""
    with pytest.raises(DatasetError, match="Expected a dataset made for"):
        run(scaled, tmp_path / "out", model=str(save_own(tmp_path)), model_digest="0" * 64)


def test_a_lambda_layer_is_refused(scaled: Path, tmp_path: Path) -> None:
    """A model that carries Python code is not loaded."""
    model = keras.Sequential([keras.Input((28, 28, 1)), layers.Lambda(lambda x: x), layers.Flatten(), layers.Dense(10)])
    model.save(tmp_path / "own.keras")
    with pytest.raises(UnusableModelError, match="none a Lambda"):
        run(scaled, tmp_path / "out", model=str(tmp_path / "own.keras"))


def test_what_is_no_model_is_refused(scaled: Path, tmp_path: Path) -> None:
    """A file that is no `.keras` archive is refused."""
    (tmp_path / "own.keras").write_bytes(b"\x80\x04 rubbish")
    with pytest.raises(UnusableModelError, match="a zip"):
        run(scaled, tmp_path / "out", model=str(tmp_path / "own.keras"))


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_the_checked_in_contracts_are_those_of_the_code(name: str) -> None:
    """Each file in deep_mnist/contract/builtin is what `python -m components.train.contracts` writes."""
    assert (CONTRACTS / f"{name}.yaml").read_text() == contract_text(name)
