"""The table of doors and options in docs/doctor.md, each cell run as a command of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.doctor_commands import Ended, doctors
from tests.support.doors import write_doors
from tests.support.made_once import made_once

pytest.importorskip("tensorflow")
pytestmark = pytest.mark.usefixtures("fresh_processes")

ROOT = Path(__file__).resolve().parents[4]
TARGETS = {
    "folder": ["data"],
    "`.npz`": ["digits.npz"],
    "CSV": ["digits.csv"],
    "Parquet": ["digits.parquet"],
    "script": ["train.py"],
    "notebook": ["train.ipynb"],
    "module": ["-m", "package.train"],
    "`.keras`": ["digits.keras"],
    "`.h5`": ["digits.h5"],
    "SavedModel": ["saved"],
    "weights only": ["digits.weights.h5"],
    "`.tflite`": ["digits.tflite"],
    "`.onnx`": ["digits.onnx"],
    "something else": ["other.bin"],
}
OPTIONS = {
    "plain": [],
    "`--rehearse`": ["--rehearse"],
    "`--train`": ["--train"],
    "`--all`": ["--all"],
    "`--json`": ["--json"],
    "`--accept`": ["--accept", "images.range=a trial"],
}


def read_table() -> dict[tuple[str, str], str]:
    """Return (door, option) -> what the documentation says of it."""
    lines = (ROOT / "docs" / "doctor.md").read_text().splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith("| door |"))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    options = rows[0][1:]
    return {(row[0], option): cell for row in rows[2:] for option, cell in zip(options, row[1:], strict=True)}


TABLE = read_table()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "doors", write_doors)


@pytest.fixture(scope="module")
def ended(folder: Path) -> dict[str, Ended]:
    """Every cell's end: a process of its own for each, forked from one that has imported TensorFlow."""
    runs = {f"{place:03d}": [*TARGETS[door], *OPTIONS[option]] for place, (door, option) in enumerate(TABLE)}
    return doctors(runs, folder)


def test_the_table_names_every_door_and_option():
    """Nothing is left out of the documentation."""
    assert set(TABLE) == {(door, option) for door in TARGETS for option in OPTIONS}


@pytest.mark.parametrize(("door", "option"), list(TABLE))
def test_each_cell_of_the_table_is_what_the_command_does(ended, door, option):
    """What is judged is fit, with exit status 0; what is refused exits with 2 and the words that help, in one line."""
    run, said = ended[f"{list(TABLE).index((door, option)):03d}"], TABLE[(door, option)]

    assert "Traceback" not in run.err, run.err
    if said == "judged":
        assert run.status == 0, run.out + run.err
        assert (json.loads(run.out)["verdict"] == "fit") if option == "`--json`" else "\nfit: " in f"\n{run.out}"
    else:
        assert (run.status, run.out) == (2, ""), run.out + run.err
        assert said.strip("“”") in run.err and run.err.count("\n") == 1, run.err


def test_programs_train_with_train_alone(ended):
    """The prints before the fit stay, the epochs run with --train only, and the report comes last without it."""
    for door in ("script", "notebook", "module"):
        for option in OPTIONS:
            run = ended[f"{list(TABLE).index((door, option)):03d}"]
            assert "before the fit" in run.out + run.err
            assert ("Epoch 2/2" in run.out) == (option == "`--train`"), run.out
            if option in ("plain", "`--rehearse`", "`--accept`"):
                assert run.out.splitlines()[-1].startswith("fit: "), run.out


def test_what_is_rehearsed_is_run(ended):
    """The rehearsal speaks of its cost wherever it could run, and raises nothing on a sound network."""
    for door in ("folder", "script", "notebook", "module"):
        run = ended[f"{list(TABLE).index((door, '`--rehearse`')):03d}"]
        assert "rehearsal." in run.out and "error" not in run.out and "warning" not in run.out, run.out + run.err


def test_each_door_opens_by_the_command_itself(folder):
    """python -m deep_mnist.doctor in a new interpreter, without TensorFlow's own log."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TF_CPP_", "ABSL_"))}
    environment |= {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}

    def run(door: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "deep_mnist.doctor", *TARGETS[door]]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)

    with ThreadPoolExecutor(2) as pool:
        done = dict(zip(TARGETS, pool.map(run, TARGETS), strict=True))

    judged = {door for door in TARGETS if TABLE[(door, "plain")] == "judged"}
    assert {door for door, each in done.items() if each.returncode == 0} == judged
    assert {door for door, each in done.items() if each.returncode == 2} == set(TARGETS) - judged
    assert [each.stderr for door, each in done.items() if door in judged and each.stderr] == []
