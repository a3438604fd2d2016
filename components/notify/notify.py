"""Tell a webhook how a run ended. A webhook that fails, or is not there, changes nothing about the run.

The addresses come from a Secret, as environment variables:
    DEEP_MNIST_WEBHOOK        where to post; without it nothing is posted
    DEEP_MNIST_KUBEFLOW_UI    where people open Kubeflow, for the link; without it the link is a path
    DEEP_MNIST_KUBEFLOW_API   where this pod reaches Kubeflow's API; its default is that of a single-user install
    OPENLINEAGE_…             those of OpenLineage's client, which learns of each step; without them it does not

Kubeflow 2.17 hands an exit task the state of what was before and neither a step nor an error
(backend/src/v2/driver/resolve.go:458), and the state itself is not always true: a group in which a condition was
skipped stays RUNNING (backend/src/v2/metadata/client.go:851 waits for as many tasks as the definition has), and a run
that was terminated is FAILED or RUNNING. So step, error and status are read from Argo's Workflow, through its API.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

import requests

from components.argo_workflow import (
    PodState,
    failed_pods,
    guarded_phase,
    log_and_error,
    log_path,
    run_path,
    was_terminated,
    workflow_in,
)
from components.failure import failure_in_log
from components.notify.lineage import tell_lineage
from components.pod_end import last_words, pod_end
from deep_mnist.lineage import is_configured
from deep_mnist.webhook import WEBHOOK, post

API = "http://ml-pipeline.kubeflow:8888"
TIMEOUT = 10.0  # seconds for each response
PATIENCE = 60.0  # seconds until Argo's report of the end must have reached the API
PAUSE = 1.0  # seconds until it is asked again
ERROR_CHARACTERS = 2000
End = tuple[str, PodState | None]  # a status and the first step that failed
# The last known state of the execution, in the words of Kubeflow's metadata store, where it can be trusted.
ENDS: dict[str, End] = {
    **dict.fromkeys(("COMPLETE", "CACHED", "SUCCEEDED"), ("SUCCEEDED", None)),
    **dict.fromkeys(("CANCELED", "CANCELLED"), ("CANCELED", None)),
}


def notify_webhook(run_id: str, run_name: str, state: str) -> None:
    """Post one JSON object to the webhook, if there is one.

    Args:
        run_id: The run.
        run_name: Its name.
        state: What Kubeflow says of all that was before.
    """
    webhook = os.environ.get(WEBHOOK, "").strip()
    if not webhook:
        print("No webhook: the Secret that --notify names, or its key `url`, is not there.")
        return
    message = notification(run_id, run_name, state)
    print(message["text"])
    said = post(webhook, message, pause=PAUSE)
    print(said if said.startswith("Posted") else f"{said} The run's own result stands.")


def notify_lineage(run_id: str, state: str, names: Mapping[str, str]) -> None:
    """Send OpenLineage's events of the run, where its client is configured.

    Args:
        run_id: The run.
        state: What Kubeflow says of all that was before.
        names: The run's parameters dataset, registry and model_name.
    """
    if not is_configured():
        return
    # Argo's report of the end has come when the run's own state, which Kubeflow knows before, is in it.
    status, _ = _end(run_id, state)
    try:
        workflow = workflow_in(_get(run_path(run_id)))
    except (requests.RequestException, ValueError) as error:
        print(f"lineage: Kubeflow's API tells nothing of the run's steps: {error}")
        return
    status = ENDS[state][0] if state in ENDS else status
    tell_lineage(
        run_id,
        status,
        workflow,
        log_of=partial(_log, run_id),
        error_of=partial(_error, run_id),
        names=names,
    )


def notification(run_id: str, run_name: str, state: str) -> dict[str, Any]:
    """Return what is posted: status, step, error, link, the run, and all of it as `text`, which chats show."""
    status, failed = ENDS[state] if state in ENDS else _end(run_id, state)
    error = _error(run_id, failed) if failed else ""
    link = f"{os.environ.get('DEEP_MNIST_KUBEFLOW_UI', '').strip().rstrip('/')}/#/runs/details/{run_id}"
    where = f" in {failed.step}: {error}" if failed else ""
    return {
        "status": status,
        "step": failed.step if failed else "",
        "error": error,
        "link": link,
        "run": run_name,
        "run_id": run_id,
        "text": f"{run_name or run_id} {status}{where}\n{link}",
    }


def _end(run_id: str, state: str) -> End:
    """Return how the run ended as soon as the API knows of it: terminated, a step that failed, or all of them done."""
    unknown = ("FAILED" if state == "FAILED" else "UNKNOWN", None)
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            end = _end_in(workflow_in(_get(run_path(run_id))))
        except (requests.RequestException, ValueError) as error:
            print(f"Kubeflow's API does not say how the run ended: {error}")
            return unknown
        if end or time.monotonic() > deadline:
            return end or unknown
        time.sleep(PAUSE)


def _end_in(workflow: dict[str, Any]) -> End | None:
    """Return what a Workflow says of the run's end, None while it says nothing."""
    if was_terminated(workflow):
        return "CANCELED", None
    if failed := failed_pods(workflow):
        return "FAILED", failed[0]
    return ("SUCCEEDED", None) if guarded_phase(workflow) == "Succeeded" else None


def _error(run_id: str, failed: PodState) -> str:
    """Return why a step failed: what it reported in its log, else what Kubernetes says of its pod."""
    log = _log(run_id, failed.pod)
    failure = failure_in_log(log)
    how, words = pod_end(failed.message)
    words = words or last_words(log)
    said = failure.text() if failure else f"{how}: {words}" if words else how
    return (said or "no reason is known")[:ERROR_CHARACTERS]


def _log(run_id: str, pod: str) -> str:
    try:
        return log_and_error(_get(log_path(run_id, pod)))[0]
    except requests.RequestException:
        return ""


def _get(path: str) -> str:
    host = os.environ.get("DEEP_MNIST_KUBEFLOW_API", "").strip().rstrip("/") or API
    response = requests.get(host + path, timeout=TIMEOUT)
    response.raise_for_status()
    return response.text
