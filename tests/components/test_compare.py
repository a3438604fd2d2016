"""compare: a slot of a schedule trains what is new, and nothing else."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.compare.compare import TrainingIdentity, compare_with_registry, remember_in_registry
from components.images import image
from deep_mnist.contract.contract import Contract
from deep_mnist.contract.folder import write_contract
from deep_mnist.data.dataset import open_dataset, seal_dataset, write_dataset
from deep_mnist.registry.pointer import Facts
from deep_mnist.registry.registry import Registry
from deep_mnist.serving.model.profiling import profile_training_split
from deep_mnist.serving.model.reference_profile import write_profile

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path) -> Path:
    """A small dataset as preprocess writes it."""
    return _data(tmp_path / "data", 0)


RECIPE = TrainingIdentity("fast", "", 0, 0, "registry.example/train:1")


def _data(folder: Path, seed: int, *, model_digest: str = "") -> Path:
    images = np.random.default_rng(seed).integers(0, 256, (20, 28, 28), np.uint8)
    folder.mkdir()
    write_contract(folder, Contract(model_digest=model_digest))
    write_dataset(folder, {"train_images": images, "train_labels": np.arange(20, dtype=np.uint8) % 10})
    return folder


def _compare(
    tmp_path: Path, data: Path, *, recipe: TrainingIdentity = RECIPE, slot: str = "2026-02-27T03:00:00Z", run: str = "a"
):
    return compare_with_registry(
        str(data), recipe, str(tmp_path / "store"), "mnist", slot, run, str(tmp_path / "attempt")
    )


def _judge(tmp_path: Path, *, promoted: bool) -> None:
    (tmp_path / "promotion").write_text(json.dumps({"promoted": promoted, "version": 3}))
    remember_in_registry(str(tmp_path / "attempt"), str(tmp_path / "promotion"), str(tmp_path / "store"), "mnist")


def _champion(registry: Path, name: str, digest: str, code: str = RECIPE.code, **trained: Any) -> None:
    """Promote a model that was trained by hand on the data with this digest; `trained` changes what it says of itself.

    The files are those that train and publish write.
    """
    model = registry.parent / "model"
    model.mkdir()
    recipe = {"network": "fast", "model": "", "model_digest": "", "seed": 0, "requested_epochs": 0,
              "recipe": {"epochs": 4}}  # fmt: skip
    (model / "training.json").write_text(json.dumps({**recipe, **trained}))
    (model / "model_card.json").write_text(json.dumps({"made_by": {"train": {"image": code}}}))
    (model / "saved_model.pb").write_bytes(b"-")
    Registry(str(registry), name).promote(
        model, Facts("m", digest, "t", 0.99, 10_000, "first", "by hand"), expected=None
    )


@pytest.mark.parametrize("promoted", [True, False])
def test_data_that_were_judged_are_unchanged(tmp_path, folder, capsys, promoted):
    """The next slot trains nothing and says "unchanged", whether the model was promoted or not."""
    assert _compare(tmp_path, folder)
    _judge(tmp_path, promoted=promoted)

    assert not _compare(tmp_path, folder, slot="2026-02-28T03:00:00Z", run="b")
    assert "unchanged: data" in capsys.readouterr().out


@pytest.mark.parametrize(
    "other",
    [
        TrainingIdentity("deep_mnist", "", 0, 0, RECIPE.code),
        TrainingIdentity("fast", "", 5, 0, RECIPE.code),
        TrainingIdentity("fast", "", 0, 0, "x"),
    ],
)
def test_a_changed_recipe_is_trained(tmp_path, folder, other):
    """Another network, number of epochs or code is something new."""
    _compare(tmp_path, folder)
    _judge(tmp_path, promoted=True)

    assert _compare(tmp_path, folder, recipe=other, slot="2026-02-28T03:00:00Z", run="b")


def test_changed_data_are_trained(tmp_path, folder):
    """One other pixel is something new."""
    _compare(tmp_path, folder)
    _judge(tmp_path, promoted=True)

    assert _compare(tmp_path, _data(tmp_path / "newer", 1), slot="2026-02-28T03:00:00Z", run="b")


def test_a_changed_file_of_the_users_own_network_is_trained(tmp_path):
    """The same address with another model in it is something new."""
    recipe = TrainingIdentity("fast", "gs://models/own.keras", 0, 0, RECIPE.code)
    one, two = (_data(tmp_path / name, 0, model_digest=digest * 64) for name, digest in (("one", "1"), ("two", "2")))
    _compare(tmp_path, one, recipe=recipe)
    _judge(tmp_path, promoted=True)

    assert not _compare(tmp_path, one, recipe=recipe, slot="2026-02-28T03:00:00Z", run="b")
    assert _compare(tmp_path, two, recipe=recipe, slot="2026-02-28T03:00:00Z", run="b")


def test_what_failed_is_tried_in_the_next_slot(tmp_path, folder):
    """Data that were never judged, since training failed, are trained in the next slot."""
    assert _compare(tmp_path, folder)
    assert _compare(tmp_path, folder, slot="2026-02-28T03:00:00Z", run="b")


def test_a_slot_is_taken_once(tmp_path, folder, capsys):
    """A second run of the same slot trains nothing; a pod of the first run that is started again goes on."""
    assert _compare(tmp_path, folder, run="a")
    assert _compare(tmp_path, folder, run="a")
    assert not _compare(tmp_path, folder, run="b")
    assert "run a has taken the slot" in capsys.readouterr().out


@pytest.mark.parametrize("epochs", [0, 4])
def test_the_champions_own_data_are_unchanged(tmp_path, folder, epochs):
    """The first slot after a run that somebody started by hand does not train the same again; the network's own number
    of epochs is the same whether it was left out or named."""
    _champion(tmp_path / "store", "mnist", open_dataset(folder).digest)

    assert not _compare(tmp_path, folder, recipe=replace(RECIPE, epochs=epochs))


@pytest.mark.parametrize(
    "change", [{"network": "deep_mnist"}, {"epochs": 1}, {"seed": 1}, {"code": "registry.example/train:2"},
               {"model": "gs://models/own.keras"}]
)  # fmt: skip
def test_another_recipe_than_the_champions_is_trained(tmp_path, folder, change):
    """Beside a champion of these very data, another network, number of epochs, seed or image is something new."""
    _champion(tmp_path / "store", "mnist", open_dataset(folder).digest)

    assert _compare(tmp_path, folder, recipe=replace(RECIPE, **change))


def test_a_champion_that_does_not_say_how_it_was_made_is_no_reason_to_train_nothing(tmp_path, folder):
    """A version of an earlier release lacks the number of epochs that was requested: its recipe is not known."""
    _champion(tmp_path / "store", "mnist", open_dataset(folder).digest, requested_epochs=None)

    assert _compare(tmp_path, folder)


LOCAL_RUN = """
import sys
from kfp import local
from pipeline.retraining import build_retraining

data, registry, root = sys.argv[1:]
local.init(local.SubprocessRunner(use_venv=False), pipeline_root=root)
build_retraining()(dataset=data, dataset_digest="x", registry=registry, model_name="own")
"""


def test_an_unchanged_slot_runs_no_training(tmp_path):
    """The schedule's definition, run here with its real steps, ends after compare: no training process is started. What
    moved against the champion's profile, here of inverted images, is noted on a page, and refuses nothing.
    """
    from components.preprocess.preprocess import preprocess_dataset
    from deep_mnist.contract.load import resolve_contract
    from tests.support.digits import draw_digits

    data, raw, root = tmp_path / "data", tmp_path / "raw", tmp_path / "root"
    data.mkdir()
    for split, count in (("train", 600), ("test", 200)):
        images, labels = draw_digits(count, seed=count)
        np.save(data / f"{split}_images.npy", images)
        np.save(data / f"{split}_labels.npy", labels)
    shutil.copytree(data, raw)
    seal_dataset(raw)
    contract = resolve_contract("fast", "")
    prepared = preprocess_dataset(raw, contract, tmp_path / "prepared", source=str(data))
    _champion(tmp_path / "registry", "own", prepared.digest, code=image("train"))
    older = write_dataset(tmp_path / "older", {"train_images": 255 - images, "train_labels": labels}, prepared.record)
    write_profile(profile_training_split(older), tmp_path / "registry/own/1")
    command = [sys.executable, "-c", LOCAL_RUN, str(data), str(tmp_path / "registry"), str(root)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "unchanged: version 1, the champion, was trained on data" in done.stdout
    said = "Against the training data of version 1, the champion, have moved: "
    (page,) = root.glob("deep-mnist-*/compare/shift")
    assert said in done.stdout and page.read_text().startswith(said) and "| mean |" in page.read_text()
    assert {path.name for path in next(root.glob("deep-mnist-*")).iterdir()} == {
        "download", "preprocess", "validate", "require-valid", "compare",
    }  # fmt: skip
