"""`python -m pipeline watch`: follow a run on a cluster; show why a step failed.

Exit status: 0 succeeded, 1 failed, 3 canceled, 4 still running when the patience was over, 2 the cluster cannot be
used, 130 interrupted (the run goes on).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import click

from components.failure import MARK, failure_in_log
from pipeline.cluster.connection import ClusterError, ClusterUnreachableError, Connection, connect, connection_options

EXIT_STATUS = {"SUCCEEDED": 0, "FAILED": 1, "SKIPPED": 1, "CANCELED": 3}
STILL_RUNNING, INTERRUPTED = 4, 130
OUTAGE_SECONDS = 120.0  # how long the API may be away while a run is watched: a port-forward that is restarted
LOG_LINES = 60
_INNER = ("root", "executor")  # names that KFP gives to nodes which are no step of the pipeline
F = TypeVar("F", bound=Callable[..., Any])


def watch_options(command: F) -> F:
    """Add the options of every command that can wait for a run."""
    seconds = click.FloatRange(0, min_open=True)
    command = click.option(
        "--patience", type=seconds, default=24 * 3600.0, show_default=True, help="Seconds after which waiting ends."
    )(command)
    return click.option("--poll", type=seconds, default=5.0, show_default=True, help="Seconds between two looks.")(
        command
    )


@click.command()
@click.argument("run_id")
@connection_options
@watch_options
def watch(run_id: str, poll: float, patience: float, **options: Any) -> None:
    """Follow a run until it has ended; the exit status says how."""
    sys.exit(follow(connect(options), run_id, poll=poll, patience=patience))


def follow(connection: Connection, run_id: str, *, poll: float, patience: float) -> int:
    """Show the steps' states until the run has ended; return the exit status."""
    started = time.monotonic()
    try:
        run = _until_ended(connection, run_id, poll, started + patience)
    except KeyboardInterrupt:
        click.echo(f"INTERRUPTED run={run_id} goes on; python -m pipeline watch {run_id}")
        return INTERRUPTED
    if run.state not in EXIT_STATUS:
        click.echo(f"RUNNING run={run_id} after {patience:g} s; it goes on; python -m pipeline watch {run_id}")
        return STILL_RUNNING
    if run.state != "SUCCEEDED":
        explain(connection, run)
    click.echo(f"{run.state} run={run_id} seconds={time.monotonic() - started:.1f}")
    return EXIT_STATUS[run.state]


def _until_ended(connection: Connection, run_id: str, poll: float, deadline: float) -> Any:
    with StepTable() as table:
        for run in _looks(connection, run_id, poll):
            table.show(step_states(run))
            if run.state in EXIT_STATUS or time.monotonic() > deadline:
                return run
    raise ClusterError(f"Expected news of run {run_id}. Received: none.")


def _looks(connection: Connection, run_id: str, poll: float) -> Iterator[Any]:
    """Yield the run every `poll` seconds, over short outages of the API."""
    reached = time.monotonic()
    while True:
        try:
            run = connection.call(connection.runs.run_service_get_run, run_id)
        except ClusterUnreachableError:
            if time.monotonic() - reached > OUTAGE_SECONDS:
                raise
        else:
            reached = time.monotonic()
            yield run
        time.sleep(poll)


def step_states(run: Any) -> dict[str, str]:
    """Return each step's state in the API's words, in order of their start."""
    details = (run.run_details.task_details if run.run_details else None) or []
    steps = [each for each in details if each.display_name and not _is_inner(each.display_name)]
    steps.sort(key=lambda each: (each.start_time is None, str(each.start_time)))
    return {each.display_name: str(each.state or "PENDING") for each in steps}


def _is_inner(name: str) -> bool:
    return name.partition("(")[0] in _INNER or name.endswith("-driver") or name.startswith("condition-")


class StepTable:
    """A live table of the steps on a terminal, a line for each change elsewhere."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = Console(soft_wrap=True)
        self._live = Live(console=self._console, refresh_per_second=4) if self._console.is_terminal else None
        self._told: dict[str, str] = {}

    def __enter__(self) -> StepTable:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *reason: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, states: Mapping[str, str]) -> None:
        if self._live:
            self._live.update(_table(states))
            return
        for step, state in states.items():
            if self._told.get(step) != state:
                self._told[step] = state
                self._console.print(f"{step:<14} {state.lower()}", highlight=False)


def _table(states: Mapping[str, str]) -> Any:
    from rich.table import Table

    colours = {"SUCCEEDED": "green", "FAILED": "red", "RUNNING": "bold", "CANCELED": "yellow", "SKIPPED": "cyan"}
    table = Table(box=None, pad_edge=False)
    for heading in ("step", "state"):
        table.add_column(heading)
    for step, state in states.items():
        table.add_row(step, f"[{colours.get(state, 'dim')}]{state.lower()}[/]")
    return table


def explain(connection: Connection, run: Any) -> None:
    """Print why a run ended as it did: its error, and what each step that failed told in its log."""
    if run.error and run.error.message:
        click.echo(run.error.message)
    try:
        pods = failed_pods(connection, run.run_id)
    except ClusterError as error:
        click.echo(f"The failed pods cannot be listed. {error.message}")
        pods = []
    for step, pod, message in pods:
        click.echo(f"--- {step}: {message or 'failed'} (pod {pod})")
        click.echo(_reason(connection, run.run_id, pod))
    if not pods and run.state == "FAILED":
        click.echo(
            "The API has no log of it. Try: kubectl logs -l pipeline/runid=" + run.run_id + " --tail=100 --prefix"
        )


def failed_pods(connection: Connection, run_id: str) -> list[tuple[str, str, str]]:
    """Return (step, pod, message) of each step whose last pod failed, in order of time.

    The API's task details name no pod; the Argo Workflow, which its first version still answers with, does.
    """
    answer = _object(connection.get_text(f"/apis/v1beta1/runs/{run_id}"))
    workflow = _object((answer.get("pipeline_runtime") or {}).get("workflow_manifest") or "{}")
    nodes = ((workflow.get("status") or {}).get("nodes") or {}).values()
    pods = sorted((node for node in nodes if node.get("type") == "Pod"), key=lambda node: node.get("startedAt") or "")
    last = {_step_of(node): node for node in pods}
    return [
        (step, _pod_name(workflow, node), node.get("message", ""))
        for step, node in last.items()
        if node.get("phase") in ("Failed", "Error")
    ]


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ClusterError(f"Expected a run's workflow as JSON. Received: {text[:80]!r}.") from error
    return value if isinstance(value, dict) else {}


def _step_of(node: Mapping[str, Any]) -> str:
    """Return the step in a node's name, as in `deep-mnist-x7k2p.root.condition-1.train.executor(0)`."""
    parts = [part.partition("(")[0] for part in str(node.get("name", "")).split(".")]
    names = [part for part in parts[1:] if part not in _INNER]
    return names[-1].removesuffix("-driver") if names else str(node.get("displayName", "?"))


def _pod_name(workflow: Mapping[str, Any], node: Mapping[str, Any]) -> str:
    """Return the pod's name: Argo puts the template between the workflow's name and the node's hash."""
    metadata = workflow.get("metadata") or {}
    style = (metadata.get("annotations") or {}).get("workflows.argoproj.io/pod-name-format")
    identity = str(node.get("id", ""))
    if style == "v1":
        return identity
    return f"{metadata.get('name')}-{node.get('templateName')}-{identity.rpartition('-')[2]}"


def _reason(connection: Connection, run_id: str, pod: str) -> str:
    """Return why a pod's step failed, as the step told in its log; the log's end where it had no chance to."""
    try:
        text = connection.get_text(f"/apis/v1alpha1/runs/{run_id}/nodes/{pod}/log")
    except ClusterError as error:
        return f"No log. {error.message}"
    failure = failure_in_log(text)
    lines = [line for line in text.rstrip().splitlines() if MARK not in line]
    if failure is None:
        return "\n".join(lines[-LOG_LINES:])
    return failure.text() if failure.foreseen else "\n".join([*lines[-LOG_LINES:], failure.text()])
