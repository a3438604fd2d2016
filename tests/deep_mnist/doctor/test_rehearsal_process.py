"""A stranger's network is rehearsed in a process of its own, whose limits hold, and which leaves nothing behind."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from deep_mnist.doctor.rehearsal.findings import nothing_to_train
from deep_mnist.doctor.rehearsal.process import read_result, rehearse_file
from deep_mnist.doctor.rehearsal.rules import LOST, NOT_REHEARSED, RATE_TOO_HIGH
from tests.support.children import living_children
from tests.support.digits import draw_digits

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def arrays(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("arrays")
    images, labels = draw_digits(200, seed=1)
    np.save(folder / "images.npy", (images / 255).astype(np.float32)[..., None])
    np.save(folder / "labels.npy", labels)
    return folder / "images.npy", folder / "labels.npy"


def saved(folder: Path, hidden: list[layers.Layer], optimizer: object = "adam") -> Path:
    model = keras.Sequential([keras.Input((28, 28, 1)), *hidden, layers.Dense(10, activation="softmax")])
    model.compile(optimizer, "sparse_categorical_crossentropy")
    model.save(folder / "model.keras")
    return folder / "model.keras"


@pytest.mark.usefixtures("fresh_processes")
def test_a_file_is_rehearsed(tmp_path: Path, arrays: tuple[Path, Path]) -> None:
    """A rate far too high is found in a saved network; the file is not changed."""
    path = saved(tmp_path, [layers.Flatten(), layers.Dense(32, activation="relu")], keras.optimizers.SGD(1e4))
    before = path.read_bytes()

    findings = rehearse_file(path, *arrays, epochs=2)

    assert [each.rule for each in findings if each.severity == "error"] in ([RATE_TOO_HIGH], [LOST])
    assert path.read_bytes() == before


@pytest.mark.usefixtures("fresh_processes")
def test_the_command_rehearses_a_folder(tmp_path: Path, arrays: tuple[Path, Path]) -> None:
    """`--rehearse` of a folder that is fit as it stands finds a rate that cannot train; exit status 1."""
    saved(tmp_path, [layers.Flatten(), layers.Dense(32, activation="relu")], keras.optimizers.SGD(1e4))
    np.save(tmp_path / "train_images.npy", np.load(arrays[0]))
    np.save(tmp_path / "train_labels.npy", np.load(arrays[1]))
    command = [sys.executable, "-m", "deep_mnist.doctor", str(tmp_path), "--json"]

    plain = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    rehearsed = subprocess.run([*command, "--rehearse"], capture_output=True, text=True, cwd=ROOT, check=False)

    assert (plain.returncode, rehearsed.returncode) == (0, 1), plain.stdout + plain.stderr + rehearsed.stderr
    errors = [each for each in json.loads(rehearsed.stdout)["findings"] if each["severity"] == "error"]
    assert errors and all(each["field"].startswith("rehearsal.") for each in errors)


@pytest.mark.usefixtures("fresh_processes")
def test_a_lambda_is_not_run(tmp_path: Path, arrays: tuple[Path, Path]) -> None:
    """A layer that holds Python code is refused by Keras's safe mode: a note, and nothing was executed."""
    mark = tmp_path / "executed"
    name = str(mark)
    code = layers.Lambda(lambda x, to=name: (open(to, "w").close(), x)[1], output_shape=(28, 28, 1))
    path = saved(tmp_path, [code, layers.Flatten()])
    mark.unlink(missing_ok=True)

    (finding,) = rehearse_file(path, *arrays)

    assert finding.severity == "note" and "safe mode" in finding.received
    assert not mark.exists()


@pytest.mark.parametrize(
    ("limits", "reason"),
    [({"memory_bytes": 64 << 20}, "64 MiB"), ({"limit_seconds": 0.01}, "did not end within 0.01 s")],
)
def test_limits_hold(tmp_path: Path, arrays: tuple[Path, Path], limits: dict, reason: str) -> None:
    """A child that takes too much memory or time is killed, reported, and leaves neither process nor file."""
    path = saved(tmp_path, [layers.Flatten()])
    temporary = set(Path(tempfile.gettempdir()).glob("rehearsal-*"))

    (finding,) = rehearse_file(path, *arrays, **limits)

    assert finding.severity == "note" and reason in finding.received
    assert not [command for command in living_children().values() if "rehearsal.process" in command]
    assert set(Path(tempfile.gettempdir()).glob("rehearsal-*")) <= temporary


@pytest.mark.usefixtures("fresh_processes")
def test_a_child_that_dies_is_reported(tmp_path: Path, arrays: tuple[Path, Path]) -> None:
    """Labels that cannot be read end the child; its last line is the reason."""
    path = saved(tmp_path, [layers.Flatten()])
    (tmp_path / "labels.npy").write_bytes(b"no array")

    (finding,) = rehearse_file(path, arrays[0], tmp_path / "labels.npy")

    assert finding.severity == "note" and "ended with status 1" in finding.received


@pytest.mark.parametrize(
    "changed",
    [{"rule": "I103"}, {"rule": "R999"}, {"severity": "accepted"}, {"fix": 3}, {"where": [None]}],
    ids=lambda changed: next(iter(changed)),
)
def test_what_is_no_finding_of_a_run_is_refused(tmp_path: Path, changed: dict) -> None:
    """A hostile network may write what it likes: only findings of a run's own rules come back, in their form."""
    result = tmp_path / "findings.json"
    sound = nothing_to_train()
    result.write_text(json.dumps([sound.to_dict()]))
    assert read_result(result) == [sound]

    result.write_text(json.dumps([sound.to_dict() | changed]))
    (finding,) = read_result(result)

    assert (finding.rule, finding.severity) == (NOT_REHEARSED, "note") and "cannot be read" in finding.received
