"""prepare: on a cluster download, preprocess and validate are one step."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from components.download.download import download_dataset
from components.prepare.component import prepare
from components.preprocess.preprocess import preprocess_dataset
from components.validate.validate import validate_dataset
from deep_mnist.contract.load import resolve_contract
from deep_mnist.data.dataset import open_dataset
from tests.support.digits import write_raw_folder

OUTPUTS = ("dataset", "findings", "report", "summary")


def prepared(folder: Path, source: Path) -> tuple[str, int]:
    """Run the component's own function, as kfp's executor does, with outputs in `folder`."""
    outputs = {name: SimpleNamespace(path=str(folder / name)) for name in OUTPUTS}
    network = {"network": "fast", "model": "", "model_digest": ""}
    files = {"rules": "", "rules_digest": "", "labels": "", "labels_digest": ""}
    chosen = {"accept": [], "ignore": [], **files, "shard_bytes": 0, "shards": ""}
    split = {"preparation": "auto", "validation_fraction": 1 / 12, "seed": 0}
    return prepare.python_func(source=str(source), dataset_digest="", **network, **split, **chosen, **outputs)


def test_it_gives_what_the_three_steps_give(tmp_path: Path) -> None:
    """The same dataset, byte for byte, the same verdict and findings."""
    own = write_raw_folder(tmp_path / "own", 300, 60)
    verdict, errors = prepared(tmp_path / "joined", own)
    download_dataset(str(own), tmp_path / "raw")
    apart = preprocess_dataset(tmp_path / "raw", resolve_contract("fast"), tmp_path / "apart", source=str(own))
    diagnosis = validate_dataset(apart.folder)

    assert open_dataset(tmp_path / "joined/dataset").digest == apart.digest
    assert (verdict, errors) == (diagnosis.verdict, diagnosis.errors)
    assert (tmp_path / "joined/report").is_file() and (tmp_path / "joined/summary").is_file()


def test_unfit_data_are_a_verdict_and_not_a_failure(tmp_path: Path) -> None:
    """A task that fails uploads nothing on a cluster: the report lies there, and the gate behind it raises."""
    own = write_raw_folder(tmp_path / "own", 300, 60)
    np.save(own / "test_images.npy", np.zeros((60, 20, 20), np.uint8))
    verdict, errors = prepared(tmp_path / "joined", own)
    findings = json.loads((tmp_path / "joined/findings").read_text())["findings"]

    assert verdict == "unfit" and errors >= 1
    assert ("images.shape", "test") in {(each["field"], each["split"]) for each in findings}
