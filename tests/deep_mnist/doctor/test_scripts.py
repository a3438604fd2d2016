"""The doctor on unmodified scripts: each of scripts/ says in its first line what is expected of it."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.digits import draw_digits
from tests.support.doctor_commands import Ended, doctors

ROOT = Path(__file__).resolve().parents[3]
SCRIPTS = Path(__file__).with_name("scripts")
NAMES = sorted(path.stem for path in SCRIPTS.glob("*.py"))
STATUS = {"fit": 0, "unfit": 1, "unusable": 2}
OPTIONS = {"in_functions": ["--", "--epochs", "7"]}
EXTRA = {
    "trains": ["functional", "--train"],
    "refuses": ["raw_pixels", "--train"],
    "accepts": ["raw_pixels", "--accept", "images.range=a trial", "--accept", "images.dtype=a trial"],
    "every": ["every_fit", "--all"],
    "unrun": ["kept_by_a_callback", "--all"],
    "loss": ["functional", "--loss", "categorical_crossentropy"],
}

pytest.importorskip("tensorflow")
pytestmark = pytest.mark.usefixtures("fresh_processes")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with 600 and 200 digits, uint8, and their classes."""
    place = tmp_path_factory.mktemp("scripts")
    x_train, y_train = draw_digits(600, 0)
    x_test, y_test = draw_digits(200, 1)
    np.savez(place / "digits.npz", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return place


@pytest.fixture(scope="module")
def ended(folder: Path) -> dict[str, Ended]:
    """Every script's end, in forks, since each import of TensorFlow costs seconds."""
    runs = {name: [str(SCRIPTS / f"{name}.py"), "--json", *OPTIONS.get(name, [])] for name in NAMES}
    runs |= {name: [str(SCRIPTS / f"{script}.py"), "--json", *more] for name, (script, *more) in EXTRA.items()}
    runs["text"] = [str(SCRIPTS / "raw_pixels.py")]
    return doctors(runs, folder)


def graver(reported: dict[str, Any]) -> set[str]:
    return {each["field"] for each in reported["findings"] if each["severity"] in ("error", "warning")}


@pytest.mark.parametrize("name", NAMES)
def test_each_script_gets_the_verdict_it_expects(ended, name):
    """Exit status, verdict, and every field that its first line names; fit scripts raise no warning."""
    verdict, *fields = (SCRIPTS / f"{name}.py").read_text().partition("\n")[0].removeprefix("# expect: ").split()
    if name == "legacy_keras" and importlib.util.find_spec("tf_keras") is None:
        pytest.skip("tf_keras is not installed")
    run = ended[name]

    assert run.status == STATUS[verdict], run.err
    if verdict == "unusable":
        assert "doctor: " in run.err and (fields[0] in run.err or fields[0] == "no.call"), run.err
    else:
        assert run.reported["verdict"] == verdict
        assert set(fields) <= graver(run.reported), run.out
        assert fields or not graver(run.reported), run.out


def test_findings_are_reported_in_the_scripts_names_and_lines(ended):
    """x_train, the line it was set on, and the line of the call."""
    text = ended["text"].out
    lines = (SCRIPTS / "raw_pixels.py").read_text().splitlines()
    call = next(number for number, line in enumerate(lines, 1) if "model.fit(" in line)
    load = next(number for number, line in enumerate(lines, 1) if "x_train, y_train, x_test, y_test = " in line)

    assert f"raw_pixels.py:{call}  model.fit(x_train, y_train, epochs=2)" in text
    assert f"x_train (raw_pixels.py:{load})" in text
    assert 'x_train = x_train.astype("float32") / 255' in text


def test_a_functions_parameter_is_followed_to_the_modules_variable(ended):
    """`images` of train() is `digits` of the script, which got its own arguments."""
    source = ended["in_functions"].reported["source"]

    assert source["variables"]["train_images"]["name"] == "digits"


def test_attributes_and_tuples_are_named_with_their_lines(ended):
    """`self.images` where it was set, `train[0]` where `train` was."""
    lines = (SCRIPTS / "in_a_class.py").read_text().splitlines()
    kept = next(number for number, line in enumerate(lines, 1) if "self.images, self.labels =" in line)

    assert ended["in_a_class"].reported["source"]["variables"]["train_images"] == {"name": "self.images", "line": kept}
    assert ended["star_arguments"].reported["source"]["variables"]["train_images"]["name"] == "train[0]"


def test_nothing_is_trained_before_the_verdict(ended):
    """No epoch of Keras's appears; a script that catches everything does not train either."""
    for name in ("raw_pixels", "functional", "swallows_everything", "custom_loop"):
        assert not re.search(r"Epoch 1|ms/step", ended[name].out + ended[name].err)


def test_train_goes_on_when_fit(ended):
    """--train runs the epochs of a fit script, and none of an unfit one."""
    assert ended["trains"].status == 0 and "Epoch 3/3" in ended["trains"].err
    assert ended["refuses"].status == 1 and "Epoch" not in ended["refuses"].err


def test_one_line_says_which_fits_come_later_and_are_not_judged(ended):
    """Of three fits the first is judged; the others' lines are named, unless --all judges them."""
    (told,) = ended["every_fit"].reported["not_judged"]

    assert told.startswith("Judged: the first fit, every_fit.py:16. ")
    assert "Not judged: fit at every_fit.py:19, every_fit.py:21." in told
    assert "not_judged" not in ended["functional"].reported


def test_every_fit_is_judged(ended):
    """--all goes on without training; the whole is unfit when one fit is."""
    reported = ended["every"].reported

    assert [each["verdict"] for each in reported["fits"]] == ["fit", "unfit", "fit"]
    assert (reported["verdict"], ended["every"].status) == ("unfit", 1)


def test_what_a_fit_would_have_made_is_no_fault_of_a_program_that_is_judged_whole(ended):
    """Under --all the model has its weights behind the fit; a file of a callback's is missing, and the status is 0."""
    assert "7850" in ended["unrun"].out + ended["unrun"].err
    assert "No fit has run, as --all judges fits alone" in ended["unrun"].err
    assert ended["unrun"].status == 0


def test_a_person_accepts_on_the_command_line(ended):
    """The finding stays, accepted, with its reason."""
    found = [each for each in ended["accepts"].reported["findings"] if each["severity"] == "accepted"]

    assert ended["accepts"].status == 0
    assert {each["because"] for each in found} == {"a trial"}


def test_the_command_lines_loss_wins(ended):
    """categorical_crossentropy for class numbers is refused, whatever the script compiled."""
    assert "labels.encoding" in graver(ended["loss"].reported)


def test_the_scripts_own_traceback_stays(ended):
    """A failing script shows its own lines and none of the doctor's."""
    err = ended["missing_file"].err

    assert 'np.load("digit.npz")' in err and "FileNotFoundError" in err
    assert "runpy" not in err and "deep_mnist/doctor/script/run.py" not in err
    assert "digits.npz, which exists" in err
