"""Hostile files: nothing in them runs, nothing is written outside the temporary folder, and one clear line is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.doctor_commands import Ended, doctor, doctors
from tests.support.hostile import MARK, write_hostile

pytest.importorskip("tensorflow")
pytestmark = pytest.mark.usefixtures("fresh_processes")

# Arguments -> exit status, and what is said on either stream.
FILES: dict[str, tuple[list[str], int, str]] = {
    "keras": (["evil.keras"], 0, "No data were given"),
    "h5": (["evil.h5"], 0, "No data were given"),
    "saved": (["evil_saved"], 0, "No data were given"),
    "notebook": (["evil.ipynb"], 2, "Expected a call of fit in evil.ipynb"),
    "npz": (["evil.npz"], 1, "Python objects"),
    "npy": (["evil.npy"], 2, "a single array"),
    "arrays": (["arrays"], 1, "Python objects"),
    "csv": (["evil.csv"], 2, "Expected"),
    "parquet": (["evil.parquet"], 1, "Parquet"),
    "keras with data": (["evil.keras", "--data", "arrays"], 1, "Python objects"),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the hostile files and nothing else; what is written there beside is seen."""
    folder = tmp_path_factory.mktemp("hostile")
    write_hostile(folder)
    return folder


@pytest.fixture(scope="module")
def ended(place: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    temporary, home = (tmp_path_factory.mktemp(name) for name in ("temporary", "home"))
    before = contents(place)
    runs = {name: arguments for name, (arguments, _, _) in FILES.items()}
    done = doctors(runs, place, TMPDIR=str(temporary), HOME=str(home))
    assert (contents(place), contents(home), contents(temporary)) == (before, [], [])
    return done


def contents(folder: Path) -> list[str]:
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.name != "__pycache__")


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_read_and_not_run(ended, place, name):
    """It gets its exit status and its line, no traceback, and leaves no mark."""
    _, status, words = FILES[name]
    run = ended[name]

    assert run.status == status, run.out + run.err
    assert words in run.out + run.err and "Traceback" not in run.out + run.err, run.out + run.err
    assert not (place / MARK).exists() and not (place.parent / MARK).exists()


def test_a_rehearsal_refuses_a_lambda(place, tmp_path):
    """The one place where a model's layers run loads it in Keras's safe mode, in a process of its own."""
    from tests.support.doctor_cases import digits

    run = doctor("evil.keras", "--data", digits().write(tmp_path / "data"), "--rehearse", folder=place)

    assert run.status in (0, 1) and "Traceback" not in run.err, run.err
    assert not (place / MARK).exists()
