"""OpenLineage's events of a run on this machine: each step's start and end, with the digests of its data and models.

Sent where OpenLineage's own client is configured, as its users know it (OPENLINEAGE_URL, OPENLINEAGE_CONFIG,
openlineage.yml, OPENLINEAGE__TRANSPORT__…); OPENLINEAGE_NAMESPACE names the namespace. What cannot be sent is said in
one line, and changes nothing about the run.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from deep_mnist.lineage import JOB, LineageStep, Versions, lineage_client, lineage_event
from pipeline.local.process import LocalTask, Run
from pipeline.local.run_outcome import RunOutcome, failure_of_run
from pipeline.states import TaskState

_ENDED = {
    TaskState.DONE: "COMPLETE",
    TaskState.CACHED: "COMPLETE",
    TaskState.FAILED: "FAIL",
    TaskState.STOPPED: "ABORT",
}


class RunLineage:
    """Sends a run's events as its tasks change; nothing where OpenLineage is not configured."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._client, self._ids = say, None, {}  # type: ignore[var-annotated]
        self._ended: set[str] = set()
        try:
            self._client = lineage_client()
        except ImportError as error:
            say(f"lineage: {error}")
        except Exception as error:  # whatever its configuration makes it raise
            self._give_up(error)

    def follow(self, run: Run) -> None:
        """Send the starts and ends that have come since the last call."""
        if self._client is None:
            return
        if JOB not in self._ids:
            self._send(run, JOB, "START")
        for task in list(run.tasks.values()):
            if task.state == TaskState.WAITING:
                continue
            if task.name not in self._ids:
                self._send(run, task.name, "START", task)
            if task.state in _ENDED and task.name not in self._ended:
                self._ended.add(task.name)
                self._send(run, task.name, _ENDED[task.state], task)

    def end(self, run: Run, outcome: RunOutcome) -> None:
        """Send how the run ended, and wait until everything is sent."""
        self.follow(run)
        if self._client is None:
            return
        ending = "ABORT" if run.signal else "FAIL" if outcome.exit_status else "COMPLETE"
        self._send(run, JOB, ending)
        if self._client is not None:
            self._client.close()

    def _send(self, run: Run, job: str, kind: str, task: LocalTask | None = None) -> None:
        """Send one event; after a first failure no more."""
        if self._client is None:
            return
        from openlineage.client.uuid import generate_new_uuid

        identity = self._ids.setdefault(job, str(generate_new_uuid()))
        step = LineageStep(identity, task.name, self._ids[JOB]) if task else LineageStep(identity)
        failure = (task.failure if task else failure_of_run(run)) if kind == "FAIL" else None
        event = lineage_event(
            step,
            kind,
            datetime.now(UTC).isoformat(),
            error=failure.text() if failure else "the step failed" if kind == "FAIL" else "",
            versions=_versions(run),
            steps=list(run.tasks),
        )
        try:
            self._client.emit(event)
        except Exception as error:  # a transport may raise anything
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self._client = None
        self._say(f"lineage: OpenLineage's events are not sent any more: {type(error).__name__}: {error}")


def _versions(run: Run) -> Versions:
    """Return what steps read and write: its name, and the digest once it is known."""
    arguments = run.arguments
    name = arguments["model_name"]
    trained = _json_of(run, "select" if "select" in run.tasks else "train", "trained", "training.json")
    promotion = _json_of(run, "publish", "promotion")
    promoted = promotion.get("model_digest", "") if promotion.get("promoted") else ""
    return {
        "source": (str(arguments["dataset"]), str(arguments["dataset_digest"])),
        "raw": (f"{name}/raw", _output(run, "download")),
        "dataset": (
            f"{name}/dataset",
            trained.get("dataset_digest", "") if "select" in run.tasks else _output(run, "preprocess"),
        ),
        "trained": (f"{name}/trained", trained.get("weights_sha256", "")),
        "model": (f"{arguments['registry']}/{name}", promoted),
    }


def _output(run: Run, task: str) -> str:
    return str(run.tasks[task].outputs.get("Output", "")) if task in run.tasks else ""


def _json_of(run: Run, task: str, artifact: str, file: str = "") -> dict[str, Any]:
    path = run.tasks[task].artifact(artifact) if task in run.tasks else None
    path = path / file if path and file else path
    return json.loads(path.read_text()) if path and path.is_file() else {}
