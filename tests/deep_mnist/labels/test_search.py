"""The command and the call in memory, on digits some of whose labels were changed."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from deep_mnist import doctor
from deep_mnist.labels.__main__ import main
from tests.deep_mnist.labels.noisy_digits import noisy_digits, write_noisy_folder


def search(folder: Path, *arguments: str) -> dict:
    assert main([str(folder), "--network", "cheap", "--out", str(folder / "out"), *arguments]) == 0
    return json.loads((folder / "out" / "labels.json").read_text())


def test_changed_labels_are_found_without_tensorflow(tmp_path: Path) -> None:
    """Nineteen of twenty changed labels are named, hardly any other, in a process that never imports TensorFlow."""
    changed = write_noisy_folder(tmp_path / "data")
    code = (
        "import sys; from deep_mnist.labels.__main__ import main; status = main(sys.argv[1:]); "
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules; sys.exit(status)"
    )
    arguments = [str(tmp_path / "data"), "--network", "cheap", "--out", str(tmp_path / "out")]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True)

    read = json.loads((tmp_path / "out" / "labels.json").read_text())
    named = {each["index"] for each in read["found"] if each["kind"] == "label"}
    assert len(named & set(changed.tolist())) >= 19
    assert len(named) <= 30
    assert read["interval"][0] <= 20 <= read["interval"][1]


def test_every_example_has_a_row_and_the_worst_come_first(tmp_path: Path) -> None:
    """labels.csv holds all examples, with what each may be instead."""
    changed = write_noisy_folder(tmp_path / "data")
    search(tmp_path / "data")

    with (tmp_path / "data" / "out" / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))

    assert sorted(int(row["index"]) for row in rows) == list(range(800))
    assert len({int(row["index"]) for row in rows[:20]} & set(changed.tolist())) >= 18
    assert all(row["given"] != row["suggested"] for row in rows[:10])


def test_the_same_search_finds_the_same(tmp_path: Path) -> None:
    """Folds and predictions follow from the data and the seed."""
    write_noisy_folder(tmp_path / "data")

    first, second = (search(tmp_path / "data") for _ in range(2))

    assert first["found"] == second["found"]


def test_a_near_duplicate_of_another_label_is_named(tmp_path: Path) -> None:
    """The same image twice, once as another digit, is shown whatever a classifier says."""
    images, given, changed = noisy_digits()
    odd = int(np.setdiff1d(np.arange(800), changed)[5])
    (tmp_path / "data").mkdir()
    np.save(tmp_path / "data" / "train_images.npy", np.concatenate([images, images[odd : odd + 1]]))
    np.save(tmp_path / "data" / "train_labels.npy", np.append(given, (given[odd] + 1) % 10))

    found = search(tmp_path / "data")["found"]

    kinds = {each["index"]: each["kind"] for each in found}
    assert kinds[odd] == "duplicate"
    assert kinds[800] in ("label", "duplicate")


def test_an_example_like_no_other_is_named(tmp_path: Path) -> None:
    """Noise among digits is an outlier."""
    images, given, _ = noisy_digits()
    images[11] = np.random.default_rng(0).integers(0, 256, (28, 28))
    (tmp_path / "data").mkdir()
    np.save(tmp_path / "data" / "train_images.npy", images)
    np.save(tmp_path / "data" / "train_labels.npy", given)

    found = search(tmp_path / "data")["found"]

    assert 11 in {each["index"] for each in found if each["kind"] in ("outlier", "label", "contradicted")}


def test_a_folder_without_labels_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 2, and the sentence says what is missing."""
    np.save(tmp_path / "train_images.npy", noisy_digits()[0])

    assert main([str(tmp_path), "--network", "cheap", "--out", str(tmp_path / "out")]) == 2
    assert "Expected train images and labels" in capsys.readouterr().err


def test_a_network_that_is_not_there_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line names the file, before anything is trained."""
    folder = tmp_path / "data"
    write_noisy_folder(folder)

    assert main([str(folder), "--model", str(tmp_path / "missing.keras"), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"labels: Expected a network's file at {tmp_path / 'missing.keras'}.")
    assert "Traceback" not in said


def test_rows_of_a_table_are_judged_too() -> None:
    """Feature columns are no images, and their labels are judged all the same."""
    random = np.random.default_rng(0)
    rows = random.standard_normal((600, 7))
    labels = (rows[:, 0] > 0).astype(int)
    rows[:, 0] += np.where(labels, 2, -2)
    labels[[5, 6, 7]] = 1 - labels[[5, 6, 7]]

    found = doctor.suspects(None, rows, labels)

    assert {each.index for each in found.of_kind("label")} == {5, 6, 7}
