"""What a run's steps read and write, as OpenLineage's events tell it: the same of runs here and on a cluster.

address ─▶ download ─▶ raw ─▶ preprocess ─▶ dataset ─▶ train ─▶ trained ─▶ publish ─▶ model in the registry
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

JOB = "deep-mnist"  # the pipeline's name, and the namespace where the user names none
PRODUCER = "urn:deep-mnist:pipeline"
INSTALL = "make .venv/lineage, or pip install 'deep-mnist[lineage]'"
# Step -> what it reads and what it writes, by the names of a run's versions.
FLOW: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "download": (("source",), ("raw",)),
    "preprocess": (("raw",), ("dataset",)),
    "prepare": (("source",), ("dataset",)),  # on a cluster, the three in one pod
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
VARIABLES = ("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG")
TRANSPORT = "OPENLINEAGE__TRANSPORT"
FILES = (Path("openlineage.yml"), Path("~/.openlineage/openlineage.yml"))
Versions = Mapping[str, tuple[str, str]]  # what of FLOW -> its name and its digest, "" where none is known
_MARK = "DEEP-MNIST-VERSIONS "  # a line of evaluate's log, for who reads a run's logs alone


def is_configured() -> bool:
    """Return whether the user has told OpenLineage's client where to send events."""
    if os.environ.get("OPENLINEAGE_DISABLED", "").strip().lower() == "true":
        return False
    named = any(os.environ.get(name) for name in VARIABLES) or any(name.startswith(TRANSPORT) for name in os.environ)
    return named or any(path.expanduser().is_file() for path in FILES)


def lineage_client() -> Any:
    """Return OpenLineage's own client, as its users configure it; None where they have not.

    Raises:
        ImportError: Its package is missing.
    """
    if not is_configured():
        return None
    try:
        from openlineage.client import OpenLineageClient
    except ImportError as error:
        raise ImportError(f"Expected the package openlineage-python. Received: {error}. Fix: {INSTALL}") from None
    return OpenLineageClient()


def namespace() -> str:
    """Return the namespace of jobs, and of data without an address."""
    return os.environ.get("OPENLINEAGE_NAMESPACE", "").strip() or JOB


def versions_line(**digests: str) -> str:
    """Return the line of a step's log that `versions_in` reads."""
    return _MARK + json.dumps(digests)


def versions_in(log: str) -> dict[str, str]:
    """Return the digests that a step told in its log, nothing where it told none."""
    found = re.findall(rf"^{_MARK}(\{{.*\}})$", log, re.MULTILINE)
    try:
        told = json.loads(found[-1]) if found else {}
    except ValueError:
        return {}
    return {str(name): str(digest) for name, digest in told.items()}


@dataclass(frozen=True)
class LineageStep:
    """What an event is of.

    Attributes:
        run: UUID of this step's run, or of the whole run.
        name: The step's; "" for the whole run.
        parent: UUID of the whole run, "" for that itself.
    """

    run: str
    name: str = ""
    parent: str = ""


def lineage_event(
    step: LineageStep, kind: str, time: str, *, error: str = "", versions: Versions, steps: Sequence[str]
) -> Any:
    """Return an event for OpenLineage's client.

    Args:
        step: What it is of.
        kind: START, COMPLETE, FAIL or ABORT.
        time: ISO 8601.
        error: Why it failed.
        versions: Of what the run reads and writes.
        steps: Names of all of the run's steps.
    """
    from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
    from openlineage.client.facet_v2 import error_message_run, job_type_job, parent_run

    reads, writes = (SWEEP if "select" in steps else FLOW).get(step.name, ((), ()))
    written = writes if kind == "COMPLETE" and all(versions[each][1] for each in writes) else ()
    facets: dict[str, Any] = {}
    if step.parent:
        parent = parent_run.Run(step.parent), parent_run.Job(namespace(), JOB)
        facets["parent"] = parent_run.ParentRunFacet(*parent)
    if error:
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(error, "python")
    kind_of_job = job_type_job.JobTypeJobFacet("BATCH", "DEEP_MNIST", "TASK" if step.name else "DAG")
    return RunEvent(
        eventTime=time,
        producer=PRODUCER,
        eventType=RunState[kind],
        run=Run(step.run, facets),
        job=Job(namespace(), f"{JOB}.{step.name}" if step.name else JOB, {"jobType": kind_of_job}),
        inputs=[_dataset(InputDataset, *versions[each]) for each in reads],
        outputs=[_dataset(OutputDataset, *versions[each]) for each in written],
    )


def _dataset(kind: Any, name: str, version: str) -> Any:
    from openlineage.client.facet_v2 import dataset_version_dataset

    facets = {"version": dataset_version_dataset.DatasetVersionDatasetFacet(version)} if version else {}
    return kind(*_named(name), facets=facets)


def _named(name: str) -> tuple[str, str]:
    """Return namespace and name, of files and buckets as OpenLineage's naming has them."""
    if name.startswith("/"):
        return "file", name
    scheme, found, rest = name.partition("://")
    bucket, _, key = rest.partition("/")
    return (f"{scheme}://{bucket}", key) if found else (namespace(), name)
