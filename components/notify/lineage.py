"""Tell OpenLineage of a run on a cluster once it has ended: each step's start and end, and what it read and wrote.

The addresses come from the Secret that --notify names, as the variables of OpenLineage's own client. What is known of
the steps stands in Argo's Workflow, and the digests in the log of `evaluate`; a run that ended before it has none.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from components.argo_workflow import PodState, StepSpan, pod_of, step_spans, was_terminated, workflow_span
from deep_mnist.lineage import JOB, LineageStep, Versions, lineage_client, lineage_event, versions_in

ENDS = {"SUCCEEDED": "COMPLETE", "CANCELED": "ABORT"}
SELF = "notify"


def tell_lineage(
    run_id: str,
    status: str,
    workflow: Mapping[str, Any],
    *,
    log_of: Callable[[str], str],
    error_of: Callable[[PodState], str],
    names: Mapping[str, str],
) -> None:
    """Send a run's events, and print what came of it; nothing that fails here fails the run.

    Args:
        run_id: UUID of the run.
        status: How it ended: SUCCEEDED, FAILED, CANCELED or UNKNOWN.
        workflow: Argo's, as Kubeflow's API tells it.
        log_of: Returns a pod's log.
        error_of: Returns why a pod failed.
        names: The run's parameters dataset, registry and model_name.
    """
    try:
        client = lineage_client()
        if client is None:
            return
        versions = _versions(workflow, log_of, names)
        events = list(_events(run_id, status, workflow, versions, error_of))
        for event in events:
            client.emit(event)
        client.close()
        print(f"lineage: {len(events)} events of {JOB} sent")
    except Exception as error:  # a transport may raise anything
        print(f"lineage: OpenLineage's events were not sent: {type(error).__name__}: {error}")


def _events(
    run_id: str, status: str, workflow: Mapping[str, Any], versions: Versions, error_of: Callable[[PodState], str]
) -> Iterator[Any]:
    spans = [each for each in step_spans(workflow) if each.pod.step != SELF]
    of_run: dict[str, Any] = {"versions": versions, "steps": [each.pod.step for each in spans]}
    whole, (started, ended) = LineageStep(run_id), workflow_span(workflow)
    yield lineage_event(whole, "START", started, **of_run)
    for span in spans:
        identity = uuid.uuid5(uuid.UUID(run_id), f"{span.pod.step} {span.pod.trial}")  # told twice, it is the same run
        step = LineageStep(str(identity), span.pod.step, run_id)
        kind = _end_of(span, terminated=was_terminated(workflow))
        yield lineage_event(step, "START", span.started, **of_run)
        yield lineage_event(step, kind, span.finished, error=error_of(span.pod) if kind == "FAIL" else "", **of_run)
    failed = next((each for each in spans if each.phase in ("Failed", "Error")), None)
    kind = ENDS.get(status, "FAIL")
    yield lineage_event(whole, kind, ended, error=error_of(failed.pod) if failed and kind == "FAIL" else "", **of_run)


def _end_of(span: StepSpan, *, terminated: bool) -> str:
    if span.phase == "Succeeded":
        return "COMPLETE"
    return "FAIL" if span.phase in ("Failed", "Error") and not terminated else "ABORT"


def _versions(workflow: Mapping[str, Any], log_of: Callable[[str], str], names: Mapping[str, str]) -> Versions:
    """Return what steps read and write: its name, and the digest where a log tells it."""
    told = versions_in(_log(workflow, "evaluate", log_of))
    promoted = re.search(r"^publish: PUBLISHED ", _log(workflow, "publish", log_of), re.MULTILINE)
    name = names["model_name"]
    return {
        "source": (names["dataset"], ""),
        "raw": (f"{name}/raw", ""),
        "dataset": (f"{name}/dataset", told.get("dataset", "")),
        "trained": (f"{name}/trained", told.get("trained", "")),
        "model": (f"{names['registry']}/{name}", told.get("model", "") if promoted else ""),
    }


def _log(workflow: Mapping[str, Any], step: str, log_of: Callable[[str], str]) -> str:
    pod = pod_of(workflow, step)
    return log_of(pod) if pod else ""
