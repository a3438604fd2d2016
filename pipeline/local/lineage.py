"""OpenLineage's events of a run on this machine: each step's start and end, with the digests of its data and models.

Sent where OpenLineage's own client is configured, as its users know it (OPENLINEAGE_URL, OPENLINEAGE_CONFIG,
openlineage.yml, OPENLINEAGE__TRANSPORT__…); OPENLINEAGE_NAMESPACE names the namespace. What cannot be sent is said in
one line, and changes nothing about the run.

    address ─▶ download ─▶ raw ─▶ preprocess ─▶ dataset ─▶ train ─▶ trained ─▶ publish ─▶ model in the registry
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.local.process import LocalTask, Run
from pipeline.local.run_outcome import RunOutcome, failure_of_run
from pipeline.states import TaskState

VARIABLES = ("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG")
TRANSPORT = "OPENLINEAGE__TRANSPORT"
FILES = (Path("openlineage.yml"), Path("~/.openlineage/openlineage.yml"))
JOB = "deep-mnist"  # the pipeline's name, and the namespace where the user names none
PRODUCER = "urn:deep-mnist:pipeline"
INSTALL = "make .venv/lineage, or pip install 'deep-mnist[lineage]'"
# Step -> what it reads and what it writes, by the names of `RunLineage._versions`.
FLOW: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "download": (("source",), ("raw",)),
    "preprocess": (("raw",), ("dataset",)),
    "validate": (("dataset",), ()),
    "inspect": (("dataset",), ()),
    "rehearse": (("dataset",), ()),
    "train": (("dataset",), ("trained",)),
    "evaluate": (("dataset", "trained"), ()),
    "publish": (("dataset", "trained"), ("model",)),
}
# The trials of a sweep share one event for each step; what they made is known of the one that was selected.
SWEEP: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    **FLOW,
    **dict.fromkeys(("preprocess", "validate", "inspect", "rehearse", "train"), ((), ())),
    "select": (("raw",), ("dataset", "trained")),
}
_ENDED = {
    TaskState.DONE: "COMPLETE",
    TaskState.CACHED: "COMPLETE",
    TaskState.FAILED: "FAIL",
    TaskState.STOPPED: "ABORT",
}


def is_configured() -> bool:
    """Return whether the user has told OpenLineage's client where to send events."""
    if os.environ.get("OPENLINEAGE_DISABLED", "").strip().lower() == "true":
        return False
    named = any(os.environ.get(name) for name in VARIABLES) or any(name.startswith(TRANSPORT) for name in os.environ)
    return named or any(path.expanduser().is_file() for path in FILES)


class RunLineage:
    """Sends a run's events as its tasks change; nothing where OpenLineage is not configured."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._client, self._ids = say, None, {}  # type: ignore[var-annotated]
        self._ended: set[str] = set()
        self._namespace = os.environ.get("OPENLINEAGE_NAMESPACE", "").strip() or JOB
        if not is_configured():
            return
        try:
            from openlineage.client import OpenLineageClient

            self._client = OpenLineageClient()
        except ImportError as error:
            say(f"lineage: Expected the package openlineage-python. Received: {error}. Fix: {INSTALL}")
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
        from openlineage.client.event_v2 import Job, RunEvent, RunState
        from openlineage.client.event_v2 import Run as LineageRun
        from openlineage.client.facet_v2 import job_type_job
        from openlineage.client.uuid import generate_new_uuid

        identity = self._ids.setdefault(job, str(generate_new_uuid()))
        kind_of_job = job_type_job.JobTypeJobFacet("BATCH", "DEEP_MNIST", "TASK" if task else "DAG")
        reads, writes = self._datasets(run, task, kind)
        event = RunEvent(
            eventTime=datetime.now(UTC).isoformat(),
            producer=PRODUCER,
            eventType=RunState[kind],
            run=LineageRun(identity, self._facets(run, task, kind)),
            job=Job(self._namespace, f"{JOB}.{job}" if task else job, {"jobType": kind_of_job}),
            inputs=reads,
            outputs=writes,
        )
        try:
            self._client.emit(event)
        except Exception as error:  # a transport may raise anything
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self._client = None
        self._say(f"lineage: OpenLineage's events are not sent any more: {type(error).__name__}: {error}")

    def _facets(self, run: Run, task: LocalTask | None, kind: str) -> dict[str, Any]:
        from openlineage.client.facet_v2 import error_message_run, parent_run

        facets: dict[str, Any] = {}
        if task:
            parent = parent_run.Run(self._ids[JOB]), parent_run.Job(self._namespace, JOB)
            facets["parent"] = parent_run.ParentRunFacet(*parent)
        if kind == "FAIL":
            failure = task.failure if task else failure_of_run(run)
            said = failure.text() if failure else "the step failed"
            facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(said, "python")
        return facets

    def _datasets(self, run: Run, task: LocalTask | None, kind: str) -> tuple[list[Any], list[Any]]:
        from openlineage.client.event_v2 import InputDataset, OutputDataset
        from openlineage.client.facet_v2 import dataset_version_dataset

        flow = SWEEP if "select" in run.tasks else FLOW
        reads, writes = flow.get(task.name, ((), ())) if task else ((), ())
        known = self._versions(run)

        def made(each: str, kind: Any) -> Any:
            name, version = known[each]
            facets = {"version": dataset_version_dataset.DatasetVersionDatasetFacet(version)} if version else {}
            return kind(*self._named(name), facets=facets)

        written = writes if kind == "COMPLETE" and all(known[each][1] for each in writes) else ()
        return [made(each, InputDataset) for each in reads], [made(each, OutputDataset) for each in written]

    def _named(self, name: str) -> tuple[str, str]:
        """Return namespace and name, of files and buckets as OpenLineage's naming has them."""
        if name.startswith("/"):
            return "file", name
        scheme, found, rest = name.partition("://")
        bucket, _, key = rest.partition("/")
        return (f"{scheme}://{bucket}", key) if found else (self._namespace, name)

    def _versions(self, run: Run) -> dict[str, tuple[str, str]]:
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
