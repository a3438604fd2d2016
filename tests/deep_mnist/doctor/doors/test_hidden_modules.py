"""Scripts beside a file that has the name of a module of Python or a library, by the real command in their folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.doctor_commands import Ended, doctor
from tests.support.measured import MEASURED_BY

TRAINS = """\
import helpers
import keras
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
model.compile("adam", "mse")
model.fit(keras.random.normal((64, 3)), keras.random.normal((64, 1)))
"""
SMALL = "def f(x):\n    return x\n"


def doctor_alone(*arguments: str, folder: Path) -> Ended:
    """Run the command without probes, which import modules before the doctor leaves the working directory out."""
    return doctor(*arguments, folder=folder, **{MEASURED_BY: ""})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "beside", "home"),
    [
        ("train.py", "random", "Python's own"),
        ("train.py", "numpy", "the installed"),
        ("keras.py", "keras", "the installed"),
        ("train.py", "signal", "Python's own"),  # which Keras's libraries import alone
    ],
)
def test_the_file_that_hides_a_module_is_named(tmp_path, script, beside, home):
    """With the command that renames it; the doctor itself does not import it."""
    for name in (f"{beside}.py", "helpers.py", "wave.py"):
        (tmp_path / name).write_text(SMALL)
    (tmp_path / script).write_text(TRAINS)
    ended = doctor_alone(script, folder=tmp_path)

    assert (ended.status, ended.out) == (2, "")
    assert f"E013 Expected {home} module {beside}" in ended.err and f"mv {beside}.py my_{beside}.py" in ended.err


@pytest.mark.slow
def test_files_that_no_library_asks_for_hide_nothing(tmp_path):
    """Names of Python's modules that nothing imports, or that Python has loaded before, and a folder of one."""
    for name in ("wave.py", "turtle.py", "test.py", "helpers.py", "site.py"):
        (tmp_path / name).write_text(SMALL)
    (tmp_path / "random").mkdir()
    (tmp_path / "train.py").write_text(TRAINS)
    ended = doctor_alone("train.py", folder=tmp_path)

    assert ended.status == 0 and "E013" not in ended.err


def test_a_folder_is_judged_without_the_files_of_the_working_directory(tmp_path):
    """A numpy.py that lies where the command is called is not run."""
    (tmp_path / "numpy.py").write_text("open('was_run', 'w')\n")
    (tmp_path / "data").mkdir()
    ended = doctor_alone("data", folder=tmp_path)

    assert ended.status == 2 and not (tmp_path / "was_run").exists()
