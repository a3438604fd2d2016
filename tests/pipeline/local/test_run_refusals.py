"""What a run refuses, and how: data with their faults by name, bad input before anything starts, a full disk."""

from __future__ import annotations

import json
import re
import subprocess
import zipfile

import h5py
import numpy as np
import pytest

from deep_mnist.contract.loadable import require_loadable
from pipeline.local.local_arguments import local_arguments
from pipeline.run_arguments import UsageError
from tests.support.digits import draw_digits, write_raw_folder
from tests.support.keras_models import classifier, layer, sequential, write_keras
from tests.support.own_rules import write_rules
from tests.support.runs import command, environment, run_pipeline

pytestmark = pytest.mark.usefixtures("fresh_processes")

FAST = ("--epochs", 3, "--network", "fast")


def damaged(kind):
    """Prepared training data with one fault each, and the built-in network they are meant for."""
    images, labels = draw_digits(400)
    one_hot = np.eye(10, dtype=np.float32)[labels]
    return {
        "uint8 for a float network": (images[..., None], one_hot),
        "no channel axis": (images.astype(np.float32) / 255, one_hot),
        "integer labels": (images[..., None].astype(np.float32) / 255, labels.astype(np.int64)),
    }[kind]


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("uint8 for a float network", "images.dtype"),
        ("no channel axis", "images.rank"),
        ("integer labels", "labels.encoding"),
    ],
)
def test_damaged_data_stop_at_validate(tmp_path, kind, field):
    """Data that the network cannot use end the run before training, with the fault by name."""
    images, labels = damaged(kind)
    (tmp_path / "own").mkdir()
    np.save(tmp_path / "own" / "train_images.npy", images)
    np.save(tmp_path / "own" / "train_labels.npy", labels)
    ended = run_pipeline(tmp_path, "--dataset", "own", "--network", "example2")

    assert (ended.status, ended.last.split(" findings=")[0]) == (1, "FAILED step=validate")
    assert any(field in line for line in ended.lines)
    events = ended.events()
    assert not [event for event in events if event.get("task") == "train"]
    assert not (tmp_path / "registry").exists()
    assert field in ended.report.read_text()


def test_rules_of_the_users_own_stop_a_run_and_unknown_ones_are_refused_before_it(tmp_path):
    """The file travels with the dataset and validate runs it; a name that no rule has starts nothing."""
    write_raw_folder(tmp_path / "digits", 400, 100)
    write_rules(tmp_path / "plant.py")
    own = ("--dataset", "digits", "--rules", "plant.py")

    refused = run_pipeline(tmp_path, *own)
    assert (refused.status, refused.last.split(" findings=")[0]) == (1, "FAILED step=validate")
    assert any("OWN001" in line for line in refused.lines) and "own-no-sevens" in refused.report.read_text()

    unknown = run_pipeline(tmp_path, *own, "--accept", "OWN001=we make them since May", "--ignore", "own-no-fives")
    assert unknown.status == 2 and "own-no-fives" in unknown.errors and "OWN001" not in unknown.errors


def test_bad_hyperparameters_are_refused_by_the_rehearsal(tmp_path):
    """A network whose rate cannot train ends the run at `rehearse`, with the rate that would do; nothing is trained."""
    import keras

    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(32, "relu"),
            keras.layers.Dense(10, "softmax"),
        ]
    )
    model.compile(keras.optimizers.SGD(1e4), "sparse_categorical_crossentropy")
    model.save(tmp_path / "own.keras")
    write_raw_folder(tmp_path / "digits", 400, 100)

    ended = run_pipeline(tmp_path, "--dataset", "digits", "--model", "own.keras", "--rehearse")

    assert (ended.status, ended.last.split(" seconds=")[0]) == (1, "FAILED step=rehearse findings=1")
    assert any("rehearsal." in line for line in ended.lines) and any("learning_rate" in line for line in ended.lines)
    assert not [event for event in ended.events() if event.get("task") == "train"]
    assert "The rehearsal" in ended.report.read_text()


def test_the_seeds_first_example_is_refused(tmp_path):
    """Example 1 feeds uint8 pixels to a network that scales nothing; validate names it."""
    write_raw_folder(tmp_path / "digits", 400, 100)
    ended = run_pipeline(tmp_path, "--dataset", "digits", "--network", "example1", "--json")
    printed = json.loads(ended.lines[-1])

    assert (ended.status, printed["status"], printed["step"]) == (1, "FAILED", "validate")
    assert "images." in printed["why"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--dataset", "mnits"), "Expected DATASET to be one of mnist, fashion-mnist"),
        (("--network", "fats"), "fast"),
        (("--model", "none.keras"), "Expected MODEL to be a .keras file"),
        (("--model", "."), "Expected MODEL to be a .keras file"),
        (("--runs", "/proc/runs"), "Expected a folder to write runs to"),
        (("--runs", "with-python3/runs"), "without the text 'python3'"),
        (("--store", "with-python3"), "without the text 'python3'"),
        (("--store", "/proc/registry"), "Expected STORE to be a folder that can be written"),
        (("--epochs", "-1"), "--epochs"),
        (("--model-name", "../x"), "Expected a model name of letters"),
        (("--model-name", "a b"), "Expected a model name of letters"),
        (("--store", ""), "Expected STORE to be a folder"),
        (("--gpu", "x"), "Expected GPU to be a number"),
        (("--gpu", "-1"), "Expected GPU to be a number"),
        (("--gpu", "64"), "Expected 64 GPUs"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_run_is_refused_before_anything_starts(tmp_path, options, message):
    """Bad input gets exit status 2, a message with the fix, and leaves nothing behind."""
    ended = run_pipeline(tmp_path, *options)

    assert ended.status == 2
    assert message in " ".join(ended.errors.split())
    assert list(tmp_path.iterdir()) == []


def lambda_layer(path):
    write_keras(path, classifier(layer("Lambda", "halve")), "mse")


def own_class(path):
    mine = {**layer("Swish", "gate"), "module": "my_layers", "registered_name": "mine>Swish"}
    write_keras(path, classifier(mine), "mse")


def own_loss(path):
    loss = {"module": "builtins", "class_name": "function", "config": "focal", "registered_name": "focal"}
    write_keras(path, classifier(), loss)


def cut_off(path):
    write_keras(path, classifier(), "mse")
    path.write_bytes(path.read_bytes()[:-200])


def without_weights(path):
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr("config.json", json.dumps(classifier()))


def hdf5(path):
    with h5py.File(path, "w") as stored:
        stored.attrs["model_config"] = json.dumps(classifier())


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda_layer, "Lambda layer 'halve'"),
        (own_class, "Swish 'gate', a class of its own"),
        (own_loss, "the function 'focal'"),
        (cut_off, "no intact zip file"),
        (without_weights, "Expected model.weights.h5"),
        (hdf5, 'load_model("own.keras").save('),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_model_that_cannot_be_loaded_is_refused_before_anything_starts(tmp_path, write, message):
    """One sentence names the file, and the layer or class; no data are fetched first."""
    write(tmp_path / "own.keras")

    with pytest.raises(UsageError, match=re.escape(message)) as refused:
        local_arguments(
            runs=tmp_path / "runs", gpu="0", store=str(tmp_path / "store"), dataset="mnist", network="fast",
            model=str(tmp_path / "own.keras"), rules="",
        )  # fmt: skip

    assert str(tmp_path / "own.keras") in str(refused.value) and "\n" not in str(refused.value)


def test_a_model_of_kerass_own_layers_is_taken(tmp_path):
    """Nested models and a loss object of Keras's too."""
    inner = {**classifier(), "module": "keras", "registered_name": None}
    loss = {"module": "keras.losses", "class_name": "Hinge", "config": {"name": "hinge"}, "registered_name": None}
    path = write_keras(
        tmp_path / "own.keras", {**sequential(inner), "registered_name": "Sequential", "module": "keras"}, loss
    )

    require_loadable(path)


def test_a_download_that_fails_names_its_reason(tmp_path):
    """An address that does not answer ends FAILED at download, and the reason is printed."""
    ended = run_pipeline(tmp_path, "--dataset", "http://127.0.0.1:9/digits.npz")

    assert ended.status == 1
    assert ended.last.startswith("FAILED step=download findings=0 ")
    assert any("Expected to reach" in line for line in ended.lines)


def test_a_full_disk_is_named(tmp_path):
    """A disk that fills up in the middle of a step ends the run with that reason."""
    write_raw_folder(tmp_path / "digits", 12000, 100)
    (tmp_path / "runs").mkdir()
    mount = f"mount -t tmpfs -o size=12m tmpfs {tmp_path}/runs"
    if subprocess.run(["unshare", "--mount", "sh", "-c", mount], capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a small disk")
    quoted = " ".join(command("--dataset", "digits"))
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", f"{mount} && exec {quoted}"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "Expected room on the disk" in done.stdout or "No space left on device" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("FAILED step=")
