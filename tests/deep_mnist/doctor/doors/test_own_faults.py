"""A fault of the doctor is told as the doctor's; the doctor is broken here by a file of rules, which it runs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from deep_mnist.doctor.report.own_fault import is_own_fault, write_fault
from tests.support.digits import draw_digits
from tests.support.doctor_cases import digits
from tests.support.doctor_commands import Ended, doctor, doctors
from tests.support.doors import PROGRAM
from tests.support.own_rules import write_rules

# What breaks -> a line that leaves a part of the doctor with nothing to call.
BROKEN = {
    "everything": "from deep_mnist.doctor.capture import live_call; live_call.contract_of_live = None",
    "drawing": "from deep_mnist.doctor.capture import live_call; live_call.draw_train = None",
    "pipelines": "from deep_mnist.doctor.capture import live_call; live_call._of_pipelines = None",
    "call": "from deep_mnist.doctor.capture import live_call; live_call._of_call = None",
    "names": "from deep_mnist.doctor.capture import live_call; live_call.origin_of = None",
    "rehearsal": "from deep_mnist.doctor.script import stop_at_fit; stop_at_fit.rehearsed = None",
    "report": "from deep_mnist.doctor.report import render; render.print_text = None",
}
# Data that cannot be read -> the line that makes them.
RAISING = {
    "pipeline": "import tensorflow as tf; given = tf.data.Dataset.from_tensor_slices([['7'], ['seven']])"
    ".map(lambda text: (tf.strings.to_number(text), 0)).batch(2)",
    "closed": "import h5py; file = h5py.File('rows.h5', 'w'); given = file.create_dataset('x', (9, 28, 28)); "
    "file.close()",
}
OURS = "a fault of the doctor, not of your program"
WITH_OPTIONS = {"rehearsal": ["--rehearse"]}
pytestmark = pytest.mark.usefixtures("fresh_processes")


def write_broken(path: Path, line: str) -> None:
    """Write a file of rules that breaks a part of the doctor before its own rule is judged."""
    path.write_text(f"{line}\n{write_rules(path).read_text()}")


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    """A sound script under each broken doctor, with and without --train; and faulty scripts under a sound one."""
    pytest.importorskip("tensorflow")
    place = tmp_path_factory.mktemp("faults")
    x, y = draw_digits(600, 0)
    np.savez(place / "digits.npz", x_train=x, y_train=y)
    (place / "train.py").write_text(PROGRAM)
    (place / "yields.py").write_text(PROGRAM.replace("model.fit(x, y,", "model.fit(batches(),").replace(
        "print(", "def batches():\n    raise LookupError('of the user')\n    yield x, y\nprint(", 1))  # fmt: skip
    for name, line in RAISING.items():
        (place / f"{name}.py").write_text(PROGRAM.replace("print(", f"{line}\nprint(", 1).replace("(x, y,", "(given,"))
    (place / "refuses.py").write_text(PROGRAM.replace("x, y, epochs=2", "x[:, :14], y, epochs=2"))
    for name, line in BROKEN.items():
        write_broken(place / f"{name}.py", line)
    ignoring = ["--ignore", "OWN001"]
    runs = {name: ["train.py", "--rules", f"{name}.py", *ignoring, *WITH_OPTIONS.get(name, [])] for name in BROKEN}
    runs |= {f"{name} train": [*run, "--train"] for name, run in runs.items()}
    runs |= {name: [f"{name}.py"] for name in RAISING}
    runs |= {"theirs": ["yields.py"], "keras": ["refuses.py", "--train"]}
    (place / "temporary").mkdir()
    return doctors(runs, place, TMPDIR=str(place / "temporary"))


@pytest.mark.parametrize("part", ["everything", "report"])
def test_a_fault_ends_with_3_and_a_file_to_report_it(ended, part):
    """One line, no sentence on the user's error, and a file with versions, command and traceback."""
    run = ended[part]
    path = Path(re.search(r"stands in (\S+)", run.err).group(1))
    written = path.read_text()
    path.unlink()

    assert run.status == 3 and OURS in run.err
    assert "Expected" not in run.err and "Traceback" not in run.err
    assert "TypeError" in written and "Python 3." in written and "Called with: train.py --rules" in written


@pytest.mark.parametrize("part", ["drawing", "pipelines", "call", "names", "rehearsal"])
def test_a_part_that_breaks_costs_itself_alone(ended, part):
    """The report comes with the verdict of all others, says what was not judged, and the status is 3."""
    run = ended[part]

    assert run.status == 3, run.err
    assert "not judged" in run.out and run.out.splitlines()[-1].startswith("fit: "), run.out


@pytest.mark.parametrize("part", BROKEN)
def test_a_broken_doctor_stops_no_training(ended, part):
    """With --train the script goes on, and its exit status is its own."""
    run = ended[f"{part} train"]

    assert run.status == 0, run.err
    assert "Epoch 2/2" in run.out and "after the fit" in run.out


def test_what_the_users_generator_raises_stays_theirs(ended):
    """It is raised while the doctor draws from it, and would be in training."""
    run = ended["theirs"]

    assert run.status == 2
    assert "LookupError: of the user" in run.err and OURS not in run.err


@pytest.mark.parametrize("kind", RAISING)
def test_what_the_users_data_raise_as_they_are_read_stays_theirs(ended, kind):
    """Though no frame of the user's stands between the doctor and the library that raises."""
    run = ended[kind]

    assert run.status == 2, run.out
    assert f"{kind}.py failed in its first fit" in run.err and "fault of" not in run.out + run.err


def test_what_keras_raises_in_training_stays_theirs(ended):
    """The doctor's frames stand between the script and Keras, and are no cause."""
    assert OURS not in ended["keras"].err


def test_a_fault_on_a_folder_ends_with_3(tmp_path):
    """By the real command, as for a script."""
    write_broken(tmp_path / "rules.py", "from deep_mnist.doctor import judge; judge.finish = None")

    run = doctor(digits().write(tmp_path / "data"), "--rules", tmp_path / "rules.py", TMPDIR=str(tmp_path))

    assert run.status == 3 and OURS in run.err and "Expected" not in run.err
    assert len(list(tmp_path.glob("doctor-fault-*.txt"))) == 1


def test_the_file_holds_no_values(tmp_path, monkeypatch):
    """Neither what a message quotes, nor a reason, nor the script's own arguments."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    try:
        int("hunter2 of the data")
    except ValueError as error:
        path = write_fault(error, ["train.py", "--accept", "I103=my secret", "--", "--token", "t0ken"])

    written = path.read_text()
    path.unlink()
    assert not [word for word in ("hunter2", "secret", "t0ken") if word in written]
    assert "train.py --accept I103=… -- (2 arguments)" in written


def test_an_error_of_this_test_is_no_fault_of_the_doctor():
    """The nearest frame that is no library's is not ours."""
    with pytest.raises(ValueError) as caught:
        np.zeros(3).reshape(2, 2)

    assert not is_own_fault(caught.value)
