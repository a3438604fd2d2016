"""The inspection as a step: folds that tasks of their own predict, the page, and the token that goes on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from components.inspect.component import inspect, inspect_fold
from components.preprocess.preprocess import preprocess_dataset
from deep_mnist.contract.load import resolve_contract
from deep_mnist.data.dataset import DatasetError, open_dataset
from deep_mnist.labels.decisions import Decision, digest_of, write_decisions
from tests.deep_mnist.labels.noisy_digits import noisy_digits
from tests.support.artifacts import Artifact

pytestmark = pytest.mark.usefixtures("fresh_processes")
FOLDS = 2


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What preprocess makes of 1,200 digits for `fast`, and beside it which images have a changed label."""
    folder = tmp_path_factory.mktemp("inspected")
    images, given, changed = noisy_digits(1200)
    raw = write_raw(folder / "raw", images, given)
    preprocess_dataset(raw, resolve_contract("fast"), folder / "dataset", source="noisy")
    (folder / "changed.json").write_text(json.dumps([digest_of(images[index]) for index in changed]))
    return folder


def write_raw(folder: Path, images: np.ndarray, given: np.ndarray) -> Path:
    from deep_mnist.data.dataset import write_dataset

    test, labels = noisy_digits(120, seed=5)[:2]
    arrays = {"train_images": images, "train_labels": given, "test_images": test, "test_labels": labels}
    write_dataset(folder, arrays)
    return folder


def test_folds_of_their_own_tasks_name_the_changed_labels_and_the_token_goes_on(tmp_path: Path, dataset: Path) -> None:
    """Each task draws the same folds; together they rank the changed labels first, and preprocess drops them."""
    data = Artifact(dataset / "dataset")
    for number in range(FOLDS):
        inspect_fold.python_func(
            dataset=data, ready="fit", fold=number, folds=FOLDS, network="fast", model="", model_digest="",
            epochs=6, seed=0, predictions=Artifact(tmp_path / f"fold{number}"),
        )  # fmt: skip
    outputs = {name: Artifact(tmp_path / "out" / name) for name in ("labels", "report", "summary")}
    found = inspect.python_func(
        dataset=data, predictions=[Artifact(tmp_path / f"fold{number}") for number in reversed(range(FOLDS))],
        ready="fit", folds=FOLDS, seed=0, network="fast", model="", **outputs,
    )  # fmt: skip

    assert found[0] == "fit"
    assert Path(outputs["report"].path).read_text().startswith("<!doctype html>")
    read = json.loads((Path(outputs["labels"].path) / "labels.json").read_text())
    opened = open_dataset(dataset / "dataset")
    images, labels = opened.images("train"), opened.labels("train")
    first = [each for each in read["found"] if each["kind"] in ("label", "contradicted")][:18]
    changed = set(json.loads((dataset / "changed.json").read_text()))
    here = [index for index in range(len(images)) if digest_of(images[index]) in changed]
    assert len({each["index"] for each in first} & set(here)) >= 13

    # What a person drops by that page, preprocess finds in the raw data.
    made = [Decision(digest_of(images[index]), index, "train", int(labels[index]), "drop") for index in here]
    write_decisions(tmp_path / "labels.yaml", made)
    corrected = preprocess_dataset(
        dataset / "raw", resolve_contract("fast"), tmp_path / "again", labels=str(tmp_path / "labels.yaml")
    )
    assert len(corrected.images("train")) == len(images) - len(here)


def test_a_fold_that_is_missing_is_named(tmp_path: Path, dataset: Path) -> None:
    """`inspect` without every fold says which one is to be predicted again."""
    outputs = {name: Artifact(tmp_path / "out" / name) for name in ("labels", "report", "summary")}
    with pytest.raises(FileNotFoundError, match=r"fold-0\.npy"):
        inspect.python_func(
            dataset=Artifact(dataset / "dataset"), predictions=[], ready="fit", folds=FOLDS, seed=0,
            network="fast", model="", **outputs,
        )  # fmt: skip


def test_an_altered_dataset_is_refused(tmp_path: Path, dataset: Path) -> None:
    from components.inspect.inspect import inspect_fold as predict
    from components.train.request import TrainRequest

    (tmp_path / "data").mkdir()
    for each in (dataset / "dataset").iterdir():
        (tmp_path / "data" / each.name).write_bytes(each.read_bytes())
    labels = np.load(tmp_path / "data" / "train_labels.npy")
    np.save(tmp_path / "data" / "train_labels.npy", labels[::-1])

    with pytest.raises(DatasetError, match="SHA-256"):
        predict(tmp_path / "data", tmp_path / "out", 0, folds=2, request=TrainRequest())
