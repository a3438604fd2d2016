"""`--mlflow URI`: a run's parameters, metrics per epoch, report and model, told to MLflow when the run has ended.

A sweep is one run, with a nested one for each trial whose training ended; that of the selected trial is marked.
The experiment is that of MLFLOW_EXPERIMENT_NAME, else "deep-mnist"; user and password are MLflow's own variables. On a
cluster KFP's plugin of MLflow does this.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from components.select.select import IncomparableTrialsError, Trial, read_trial
from pipeline.local.process import Run
from pipeline.local.run_outcome import RunOutcome
from pipeline.run_arguments import UsageError
from pipeline.states import RunStatus

INSTALL = "make .venv/mlflow, or pip install 'deep-mnist[mlflow]'"
EXPERIMENT_NAME = "deep-mnist"
STATUS = {RunStatus.FAILED: "FAILED", RunStatus.INTERRUPTED: "KILLED"}
# Until a run has begun: MLflow's own seven retries of two minutes each would keep somebody waiting for a typing error.
_AT_FIRST = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}  # times, seconds
_LONGEST = 500  # characters of a parameter that every store takes


class MlflowRun:
    """A run's place in MLflow, found before anything is trained."""

    def __init__(self, uri: str) -> None:
        """Connect, and find or make the experiment.

        Raises:
            UsageError: The package is missing, or there is no MLflow at this address.
        """
        try:
            from mlflow import MlflowClient
        except ImportError as error:
            raise UsageError(f"Expected the package mlflow-skinny. Received: {error}. Fix: {INSTALL}") from None
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "").strip() or EXPERIMENT_NAME
        try:
            with _brief():
                self._client = MlflowClient(uri)
                found = self._client.get_experiment_by_name(name)
                self._experiment = found.experiment_id if found else self._client.create_experiment(name)
        except Exception as error:  # a store may raise anything
            said = str(error).partition("\n")[0]
            raise UsageError(
                f"Expected MLflow at {uri}. Received: {type(error).__name__}: {said}. Fix: --mlflow http://HOST:PORT"
            ) from None

    def log(self, run: Run, outcome: RunOutcome) -> str:
        """Write everything that is known of an ended run; return the line that says what came of it."""
        try:
            return f"mlflow: run {self._log(run, outcome)} of the experiment {self._experiment}"
        except Exception as error:  # the run's own result stands
            return f"mlflow: not all of the run was logged: {type(error).__name__}: {str(error).partition(chr(10))[0]}"

    def _log(self, run: Run, outcome: RunOutcome) -> str:
        client = self._client
        tags = {"deep_mnist.status": str(outcome.status), **_registry_tags(run, outcome)}
        identity = str(
            client.create_run(
                self._experiment, start_time=int(run.started * 1000), tags=tags, run_name=run.folder.name
            ).info.run_id
        )
        for name, value in run.arguments.items():
            if value not in ("", None, [], {}):
                client.log_param(identity, name, _text(value))
        for name, value, step in _metrics(run, outcome):
            client.log_metric(identity, name, value, step=step)
        for path, folder in _artifacts(run):
            client.log_artifact(identity, str(path), folder)
        for trial in _trials(run):
            self._log_trial(run, trial, identity)
        client.set_terminated(identity, STATUS.get(outcome.status, "FINISHED"))
        return identity

    def _log_trial(self, run: Run, trial: Trial, parent: str) -> None:
        """Write a trial of a sweep as a run below the sweep's own, as MLflow nests them."""
        chosen = trial.name == run.tasks["select"].outputs.get("Output")
        tags = {"mlflow.parentRunId": parent, "deep_mnist.selected": str(chosen).lower()}
        client, started = self._client, int(run.started * 1000)
        made = client.create_run(self._experiment, start_time=started, tags=tags, run_name=trial.name)
        identity = str(made.info.run_id)
        for name in ("network", "seed", "parameters"):
            client.log_param(identity, name, getattr(trial, name))
        for name, value, step in _history(trial.folder):
            client.log_metric(identity, name, value, step=step)
        for name in ("validation_accuracy", "validation_loss"):
            client.log_metric(identity, name, getattr(trial, name))
        client.set_terminated(identity)


@contextmanager
def _brief() -> Iterator[None]:
    """Have MLflow give up on its server soon, unless the variables that say when are set already."""
    unset = {name: value for name, value in _AT_FIRST.items() if name not in os.environ}
    os.environ.update(unset)
    try:
        yield
    finally:
        for name in unset:
            os.environ.pop(name, None)


def _registry_tags(run: Run, outcome: RunOutcome) -> dict[str, str]:
    evaluation = _evaluation(run)
    digests = {
        f"deep_mnist.{name}": evaluation.get(name, "") for name in ("model_digest", "data_digest", "test_digest")
    }
    promoted = {
        "deep_mnist.uri": outcome.details.get("uri") or "",
        "deep_mnist.version": outcome.fields.get("version", ""),
    }
    return {name: str(value) for name, value in {**digests, **promoted}.items() if value}


def _metrics(run: Run, outcome: RunOutcome) -> Iterator[tuple[str, float, int]]:
    """Yield name, value and step: the epoch from 1 for what training measured, 0 for the judgement."""
    yield from _history(_trained(run))
    evaluation = _evaluation(run)
    yield from ((f"test_{name}", float(evaluation[name]), 0) for name in ("accuracy", "loss") if name in evaluation)
    yield "run_seconds", float(outcome.fields["seconds"]), 0


def _history(trained: Path | None) -> Iterator[tuple[str, float, int]]:
    history = trained / "history.json" if trained else None
    for each in json.loads(history.read_text())["epochs"] if history and history.is_file() else ():
        yield from ((name, float(value), int(each["epoch"])) for name, value in each.items() if name != "epoch")


def _trained(run: Run) -> Path | None:
    """Return the folder of the training: of a sweep the one that was selected."""
    task = "select" if "select" in run.tasks else "train"
    return run.tasks[task].artifact("trained") if task in run.tasks else None


def _trials(run: Run) -> Iterator[Trial]:
    """Yield the trials of a sweep that ended."""
    for folder in run.tasks["train"].artifacts("trained") if "select" in run.tasks else ():
        with suppress(IncomparableTrialsError):  # a training that was interrupted left a part
            yield read_trial(folder)


def _artifacts(run: Run) -> Iterator[tuple[Path, str]]:
    yield run.folder / "report.html", ""
    trained = _trained(run)
    for name in ("model.keras", "preprocessing.json", "training.json"):
        if trained and (trained / name).is_file():
            yield trained / name, "model"
    card = run.tasks["publish"].artifact("card") if "publish" in run.tasks else None
    if card:
        yield card, "card"


def _evaluation(run: Run) -> dict[str, Any]:
    path = run.tasks["evaluate"].artifact("evaluation") if "evaluate" in run.tasks else None
    return json.loads(path.read_text()) if path else {}


def _text(value: Any) -> str:
    return (value if isinstance(value, str) else json.dumps(value))[:_LONGEST]
