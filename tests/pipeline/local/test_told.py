"""What a run on this machine tells OpenLineage and MLflow, by their own clients, and what it says when it cannot."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from tests.support.digits import write_raw_folder
from tests.support.lineage import events, transport, versions
from tests.support.ports import free_port
from tests.support.runs import ROOT, run_pipeline

pytestmark = pytest.mark.usefixtures("fresh_processes")

FILE_STORE = {"MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_EXPERIMENT_NAME": "digits of a test"}


@pytest.fixture
def unfit(tmp_path: Path) -> Path:
    """Data that no network can use: labels of an eleventh class."""
    folder = write_raw_folder(tmp_path / "digits", 300, 100)
    np.save(folder / "train_labels.npy", np.full(300, 37))
    return folder


def test_a_run_is_told_to_openlineage_and_mlflow(tmp_path: Path) -> None:
    """Every step's start and end with the digests of what it read and wrote; parameters, metrics, report and model."""
    from mlflow import MlflowClient

    write_raw_folder(tmp_path / "digits", 1500, 300)
    options = ("--dataset", "digits", "--epochs", 2, "--min-accuracy", 0, "--mlflow", f"file://{tmp_path}/mlruns")
    ended = run_pipeline(tmp_path, *options, **transport(tmp_path), **FILE_STORE)
    assert ended.last.startswith("PUBLISHED version=1 "), "\n".join(ended.lines) + ended.errors

    told = events(tmp_path)
    assert [(each["eventType"], each["job"]["name"]) for each in (told[0], told[-1])] == [
        ("START", "deep-mnist"), ("COMPLETE", "deep-mnist"),
    ]  # fmt: skip
    finished = {each["job"]["name"]: each for each in told if each["eventType"] == "COMPLETE"}
    assert [f"deep-mnist.{task}" for task in ended.events()[0]["tasks"]] == list(finished)[:-1]
    assert {each["run"]["facets"]["parent"]["run"]["runId"] for each in told[1:-1]} == {told[0]["run"]["runId"]}
    pointer = json.loads((tmp_path / "registry/digits/champion.json").read_text())["facts"]
    (trained,) = versions(finished["deep-mnist.train"]["outputs"])
    assert ("tests", "digits/dataset", pointer["data_digest"]) in versions(finished["deep-mnist.train"]["inputs"])
    assert trained in versions(finished["deep-mnist.publish"]["inputs"])
    assert list(versions(finished["deep-mnist.publish"]["outputs"])) == [
        ("file", f"{tmp_path}/registry/digits", pointer["model_digest"])
    ]

    with pytest.MonkeyPatch.context() as allowed:
        allowed.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        client = MlflowClient(f"file://{tmp_path}/mlruns")
        experiment = client.get_experiment_by_name("digits of a test")
        assert experiment is not None
        (run,) = client.search_runs([experiment.experiment_id])
        history = client.get_metric_history(run.info.run_id, "val_accuracy")
        artifacts = {each.path for folder in ("", "model") for each in client.list_artifacts(run.info.run_id, folder)}
    assert (run.info.status, run.info.run_name, run.data.params["epochs"]) == ("FINISHED", ended.folder.name, "2")
    assert sorted(each.step for each in history) == [1, 2]
    assert run.data.metrics["test_accuracy"] == pytest.approx(pointer["accuracy"])
    assert run.data.tags["deep_mnist.model_digest"] == pointer["model_digest"]
    assert run.data.tags["deep_mnist.version"] == "1"
    assert {"report.html", "model/model.keras"} <= artifacts


def test_a_failure_is_told_with_its_reason(unfit: Path, tmp_path: Path) -> None:
    """The step that refused the data, and the run, end with FAIL and what was expected; MLflow knows it as failed."""
    options = ("--dataset", unfit.name, "--mlflow", f"file://{tmp_path}/mlruns")
    ended = run_pipeline(tmp_path, *options, **transport(tmp_path), **FILE_STORE)
    failed = [each for each in events(tmp_path) if each["eventType"] == "FAIL"]

    assert ended.status == 1 and ended.last.startswith("FAILED step="), ended.lines
    assert failed[-1]["job"]["name"] == "deep-mnist" and len(failed) == 2
    assert all("Expected" in each["run"]["facets"]["errorMessage"]["message"] for each in failed)
    assert any(line.startswith("mlflow: run ") for line in ended.lines)


def test_a_receiver_that_is_not_there_changes_nothing_about_the_run(unfit: Path, tmp_path: Path) -> None:
    """One line says that nothing is sent any more."""
    ended = run_pipeline(
        tmp_path, "--dataset", unfit.name,
        OPENLINEAGE__TRANSPORT__TYPE="http",
        OPENLINEAGE__TRANSPORT__URL=f"http://127.0.0.1:{free_port()}",
        OPENLINEAGE__TRANSPORT__RETRY='{"total": 0}',
    )  # fmt: skip

    assert ended.last.startswith("FAILED step="), ended.lines
    assert len([line for line in ended.lines if line.startswith("lineage: OpenLineage's events are not sent")]) == 1


def test_what_is_missing_is_told_in_one_line(unfit: Path, tmp_path: Path) -> None:
    """Without MLflow's package, or with no MLflow there, nothing is started; without OpenLineage's, the run goes on."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    for name in ("mlflow", "openlineage"):
        (hidden / f"{name}.py").write_text(f"raise ModuleNotFoundError(\"No module named '{name}'\")\n")
    without = {"PYTHONPATH": f"{hidden}{os.pathsep}{ROOT}", **transport(tmp_path)}
    missing = run_pipeline(tmp_path, "--dataset", unfit.name, "--mlflow", "http://127.0.0.1:9", **without)
    nowhere = run_pipeline(tmp_path, "--dataset", unfit.name, "--mlflow", "nowhere://at/all")
    silent = run_pipeline(tmp_path, "--dataset", unfit.name, "--mlflow", address := f"http://127.0.0.1:{free_port()}")
    ended = run_pipeline(tmp_path, "--dataset", unfit.name, **without)

    assert missing.status == 2 and "Fix: make .venv/mlflow, or pip install" in missing.errors
    assert nowhere.status == 2 and "Expected MLflow at nowhere://at/all. Received: " in nowhere.errors
    assert silent.status == 2 and f"Expected MLflow at {address}. Received: " in silent.errors
    assert "Traceback" not in missing.errors + nowhere.errors + silent.errors
    assert any("Fix: make .venv/lineage, or pip install" in line for line in ended.lines), ended.lines
    assert ended.last.startswith("FAILED step=")
