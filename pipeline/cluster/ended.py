"""How a run on a cluster ended, and why: what `watch` prints last."""

from __future__ import annotations

import re
from typing import Any

import click

from components.argo_workflow import (
    PodState,
    failed_pods,
    log_and_error,
    log_path,
    pod_of,
    run_path,
    was_terminated,
    workflow_in,
)
from components.failure import MARK, failure_in_log
from components.pod_end import last_words, own, pod_end
from pipeline.cluster.connection import ClusterError, Connection

LOG_LINES = 60
# What the end of a pod means where its step could not tell: the first that fits Argo's message, Kubeflow's last words
# or the log's end.
FIXES = (
    (r"OOMKilled", "give the step more memory in pipeline/resources.py, or use fewer data"),
    (r"exit code 137|exit status 137|signal: killed", "submit it again: somebody, or a node short of memory, killed "
     "the process; training goes on from a checkpoint. If it is killed again, give the step more memory in "
     "pipeline/resources.py"),
    (r"code = (Unavailable|DeadlineExceeded|Aborted|Canceled)|connect: connection refused", "see that Kubeflow's own "
     "pods run (kubectl -n kubeflow get pods), then submit it again: what succeeded comes from the cache, training "
     "from a checkpoint"),
    (r"two tasks have the same task name", "submit it again: a pod of Kubeflow's driver was lost and repeated, and "
     "left its step twice in the metadata"),
    (r"failed to (upload|download) .*artifact|failed to open bucket", "see that the object store runs and that the "
     "steps' account may use it, then submit it again"),
    (r"ephemeral|disk", "free the node's disk, or use a node with more"),
    (r"deadline", "raise the step's time limit in pipeline/resources.py"),
    (r"evict|preempt|shutdown|deleted|exit (code|status) 143|signal: terminated", "submit it again: the node was taken "
     "away; training goes on from a checkpoint"),
    (r"ImagePull|ErrImage", "push the images (make push), and check that the cluster may pull them"),
)  # fmt: skip
# What select, publish and compare print of what they decided.
_DECISIONS = (
    ("select", re.compile(r"select: (the best of .*)")),
    ("publish", re.compile(r"publish: ((?:PUBLISHED|NOT PROMOTED)\b.*)")),
    ("compare", re.compile(r"(unchanged: .*)")),
)
# Where the log cannot be read: once Argo has packed the run's nodes and the pod is gone, Kubeflow finds it only where
# manifests/components/workflow-defaults put it.
_UNREAD = (
    "What was decided stands in the log of publish, which Kubeflow cannot read. See: python -m pipeline models list"
)


def workflow_of(connection: Connection, run_id: str) -> dict[str, Any]:
    """Return the run's Workflow as Argo last reported it."""
    try:
        return workflow_in(connection.get_text(run_path(run_id)))
    except ValueError as error:
        raise ClusterError(f"Expected a run's workflow as JSON. Received: {error}.") from error


def final_state(connection: Connection, run: Any) -> str:
    """Return how an ended run ended: Kubeflow 2.17 calls one that was terminated FAILED, and never CANCELED.

    Its history says CANCELING if it was reported in between; what ended it stands in its Workflow in any case.
    """
    if run.state != "FAILED":
        return str(run.state)
    if any(each.state in ("CANCELING", "CANCELED") for each in run.state_history or []):
        return "CANCELED"
    try:
        return "CANCELED" if was_terminated(workflow_of(connection, run.run_id)) else "FAILED"
    except ClusterError:
        return "FAILED"


def decisions(connection: Connection, run_id: str) -> list[str]:
    """Return what a run that succeeded decided: what was published or not and why, or that nothing had changed."""
    try:
        workflow = workflow_of(connection, run_id)
    except ClusterError:
        return []
    lines = []
    for step, said in _DECISIONS:
        if not (pod := pod_of(workflow, step)):
            continue
        log, unread = _log(connection, run_id, pod)
        found = [match[1] for line in own(log) if (match := said.fullmatch(line))]
        lines += found or ([_UNREAD] if unread and step == "publish" else [])
    return lines


def explain(connection: Connection, run: Any) -> None:
    """Print why a run ended as it did: its error, and what each step that failed reported in its log."""
    if run.error and run.error.message:
        click.echo(run.error.message)
    try:
        pods = failed_pods(workflow_of(connection, run.run_id))
    except ClusterError as error:
        click.echo(f"The failed pods cannot be listed. {error.message}")
        pods = []
    for pod in pods:
        click.echo(f"--- {pod.where}: {pod_end(pod.message).how or 'failed'} (pod {pod.pod})")
        click.echo(_reason(connection, run.run_id, pod))
    if not pods and run.state == "FAILED":
        click.echo(
            "The API has no log of it. Try: kubectl logs -l pipeline/runid=" + run.run_id + " --tail=100 --prefix"
        )


def _reason(connection: Connection, run_id: str, pod: PodState) -> str:
    """Return why a pod's step failed, as the step wrote it into its log; where it had no chance to, what is known."""
    how, told = pod_end(pod.message)
    text, unread = _log(connection, run_id, pod.pod)
    failure = failure_in_log(text)
    if failure is not None and failure.foreseen:
        return failure.text()
    lines = [line for line in own(text) if MARK not in line][-LOG_LINES:]
    if failure is not None:
        return "\n".join([*lines, failure.text()])
    words = last_words(text) or told
    if unread and not words:
        more = "further " if lines else ""
        lines.append(f"No {more}log. Received: {unread}. Kubeflow's UI has it as `executor-logs`.")
    if words:
        lines.append(words)
    known = "\n".join([how, words, *lines[-3:]])
    fixes = [f"Fix: {fix}" for pattern, fix in FIXES if re.search(pattern, known, re.IGNORECASE)]
    return "\n".join([*lines, *fixes[:1]])


def _log(connection: Connection, run_id: str, pod: str) -> tuple[str, str]:
    """Return a pod's log as far as it can be read, and why no further."""
    if not pod:
        return "", "no pod"
    try:
        return log_and_error(connection.get_text(log_path(run_id, pod)))
    except ClusterError as error:
        return "", error.message
