"""A file that is not there is named with where it is, or with what is wrong in its path, not with another data set."""

from __future__ import annotations

from pathlib import Path

import pytest

from deep_mnist.doctor.checks.crashes.explain import finding_of
from tests.support.crashing import error_of

pytest.importorskip("pandas")
READ = "table = pd.read_csv('data/raw/iris.csv')"
FILES = (
    "data/raw/iris.csv",
    "iris_sorted.csv",
    "data/train.csv",
    "one/labels.csv",
    "two/labels.csv",
    "data/rows_1.csv",
)


@pytest.mark.parametrize(
    ("stated", "fix"),
    [
        ("'raw/iris.csv'", READ),
        ("'/home/ann/raw/iris.csv'", READ),
        (r"'data\raw\iris.csv'", READ),
        ("' data/raw/iris.csv'", READ),
        ("'data/trian.csv'", "data/train.csv, which exists"),
        ("'labels.csv'", "write or download it, or correct the path"),
        ("'irises.csv'", "write or download it, or correct the path"),
        ("'data/rows_2.csv'", "write or download it, or correct the path"),
    ],
)
def test_a_file_is_looked_for_by_its_own_name(
    stated: str, fix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in FILES:
        (tmp_path / each).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / each).write_text("a,b\n1,2\n")
    monkeypatch.chdir(tmp_path)

    assert fix_of(f"import pandas as pd\ntable = pd.read_csv({stated})\n", tmp_path).partition("  # ")[0] == fix


def test_a_folder_that_a_file_is_written_to_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sizes.txt").write_text("of another run")
    monkeypatch.chdir(tmp_path)

    fix = fix_of("with open('made/sizes.txt', 'w') as out:\n    out.write('3')\n", tmp_path)

    assert fix.startswith("import os; os.makedirs('made', exist_ok=True)  # before")


def fix_of(text: str, folder: Path) -> str:
    error = error_of(text)
    found = finding_of(error, folder / "train.py") if error is not None else None
    assert found is not None and found.rule.code == "E004"
    return found.fix
