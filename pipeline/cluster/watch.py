"""`python -m pipeline watch`: follow a run on a cluster; show why a step failed.

Exit status: 0 succeeded, 1 failed, 3 canceled, 4 still running when the patience was over, 2 the cluster cannot be
used, 130 interrupted (the run goes on).
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import click

from components.argo_workflow import (
    failed_pods,
    log_and_error,
    log_path,
    pending_pods,
    run_path,
    step_name,
    was_terminated,
    workflow_in,
)
from components.failure import MARK, failure_in_log
from pipeline.cluster.connection import ClusterError, ClusterUnreachableError, Connection, connect, connection_options
from pipeline.cluster.pending import waiting_for

EXIT_STATUS = {"SUCCEEDED": 0, "FAILED": 1, "SKIPPED": 1, "CANCELED": 3}
STILL_RUNNING, INTERRUPTED = 4, 130
OUTAGE_SECONDS = 120.0  # how long the API may be away while a run is watched: a port-forward that is restarted
LOG_LINES = 60
# What a pod's message means where its step could not tell why it ended.
_FIXES = (
    (r"OOMKilled|exit code 137", "give the step more memory in pipeline/resources.py, or use fewer data"),
    (r"ephemeral|disk", "free the node's disk, or use a node with more"),
    (r"deadline", "raise the step's time limit in pipeline/resources.py"),
    (r"evict|preempt|shutdown|deleted", "submit it again: the node was taken away; training goes on from a checkpoint"),
    (r"ImagePull|ErrImage", "push the images (make push), and check that the cluster may pull them"),
)
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
        run, pending = _until_ended(connection, run_id, poll, started + patience)
    except KeyboardInterrupt:
        click.echo(f"INTERRUPTED run={run_id} goes on; python -m pipeline watch {run_id}")
        return INTERRUPTED
    if run.state not in EXIT_STATUS:
        for step, reason in pending.items():
            click.echo(f"{step} is pending: {reason}")
        click.echo(f"RUNNING run={run_id} after {patience:g} s; it goes on; python -m pipeline watch {run_id}")
        return STILL_RUNNING
    state = final_state(connection, run)
    if state not in ("SUCCEEDED", "CANCELED"):
        explain(connection, run)
    click.echo(f"{state} run={run_id} seconds={time.monotonic() - started:.1f}")
    return EXIT_STATUS[state]


def final_state(connection: Connection, run: Any) -> str:
    """Return how an ended run ended: Kubeflow 2.17 calls one that was terminated FAILED, and never CANCELED.

    Its history says CANCELING if it was reported in between; what ended it stands in its Workflow in any case.
    """
    if run.state != "FAILED":
        return str(run.state)
    if any(each.state in ("CANCELING", "CANCELED") for each in run.state_history or []):
        return "CANCELED"
    try:
        return "CANCELED" if was_terminated(_workflow(connection, run.run_id)) else "FAILED"
    except ClusterError:
        return "FAILED"


def _until_ended(connection: Connection, run_id: str, poll: float, deadline: float) -> tuple[Any, dict[str, str]]:
    """Return the run as it is at its end or at the deadline, and what its pending steps wait for."""
    steps: frozenset[str] | None = None
    with StepTable() as table:
        for run in _looks(connection, run_id, poll):
            steps = _steps(connection, run) if steps is None else steps
            states = step_states(run, steps)
            pending = _pending(connection, run)
            table.show({**states, **{step: f"PENDING {reason}" for step, reason in pending.items()}})
            if run.state in EXIT_STATUS or time.monotonic() > deadline:
                return run, pending
    raise ClusterError(f"Expected news of run {run_id}. Received: none.")


def _pending(connection: Connection, run: Any) -> dict[str, str]:
    """Return what each pending step waits for; empty when none is pending, or nobody can tell."""
    if run.state in EXIT_STATUS or not any(each.state == "PENDING" for each in _details(run)):
        return {}
    try:
        pods = pending_pods(_workflow(connection, run.run_id))
    except ClusterError:
        return {}
    return {each.step: waiting_for(each.message) for each in pods}


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


def _details(run: Any) -> list[Any]:
    return (run.run_details.task_details if run.run_details else None) or []


def _steps(connection: Connection, run: Any) -> frozenset[str]:
    """Return the names of the tasks in the run's definition, for the API lists Argo's internals beside them."""
    spec = run.pipeline_spec
    reference = run.pipeline_version_reference
    if not spec and reference:
        get = connection.pipelines.pipeline_service_get_pipeline_version
        spec = connection.call(get, reference.pipeline_id, reference.pipeline_version_id).pipeline_spec
    spec = (spec or {}).get("pipeline_spec", spec or {})
    dags = [spec.get("root", {}), *spec.get("components", {}).values()]
    tasks = [(name, task) for dag in dags for name, task in dag.get("dag", {}).get("tasks", {}).items()]
    groups = {name for name, each in spec.get("components", {}).items() if "dag" in each}
    return frozenset(name for name, task in tasks if task["componentRef"]["name"] not in groups)


def step_states(run: Any, steps: frozenset[str]) -> dict[str, str]:
    """Return each step's state in the API's words, in order of their start.

    A step that may be repeated is there as `train` and once for each attempt, `train(0)`, `train(1)`: the first speaks
    for all.
    """
    details = sorted(_details(run), key=lambda each: (each.start_time is None, str(each.start_time)))
    names = dict.fromkeys(step_name(each.display_name or "") for each in details)
    last = {step_name(each.display_name or ""): each for each in details}
    whole = {each.display_name: each for each in details}
    return {name: str(whole.get(name, last[name]).state or "PENDING") for name in names if name in steps}


class StepTable:
    """A live table of the steps on a terminal, a line for each change elsewhere."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = Console(soft_wrap=True)
        self._live = Live(console=self._console, refresh_per_second=4) if self._console.is_terminal else None
        self._shown_states: dict[str, str] = {}

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
            if self._shown_states.get(step) != state:
                self._shown_states[step] = state
                self._console.print(f"{step:<14} {_shown(state)}", highlight=False, markup=False)


def _table(states: Mapping[str, str]) -> Any:
    from rich.table import Table
    from rich.text import Text

    colours = {"SUCCEEDED": "green", "FAILED": "red", "RUNNING": "bold", "CANCELED": "yellow", "SKIPPED": "cyan"}
    table = Table(box=None, pad_edge=False)
    for heading in ("step", "state"):
        table.add_column(heading)
    for step, state in states.items():
        table.add_row(step, Text(_shown(state), style=colours.get(state, "dim")))
    return table


def _shown(state: str) -> str:
    """Return a state in lower case, and what follows it as it is."""
    word, space, rest = state.partition(" ")
    return word.lower() + (f": {rest}" if space else "")


def explain(connection: Connection, run: Any) -> None:
    """Print why a run ended as it did: its error, and what each step that failed reported in its log."""
    if run.error and run.error.message:
        click.echo(run.error.message)
    try:
        pods = failed_pods(_workflow(connection, run.run_id))
    except ClusterError as error:
        click.echo(f"The failed pods cannot be listed. {error.message}")
        pods = []
    for step, pod, message in pods:
        click.echo(f"--- {step}: {message or 'failed'} (pod {pod})")
        click.echo(_reason(connection, run.run_id, pod, message or ""))
    if not pods and run.state == "FAILED":
        click.echo(
            "The API has no log of it. Try: kubectl logs -l pipeline/runid=" + run.run_id + " --tail=100 --prefix"
        )


def _workflow(connection: Connection, run_id: str) -> dict[str, Any]:
    try:
        return workflow_in(connection.get_text(run_path(run_id)))
    except ValueError as error:
        raise ClusterError(f"Expected a run's workflow as JSON. Received: {error}.") from error


def _reason(connection: Connection, run_id: str, pod: str, message: str) -> str:
    """Return why a pod's step failed, as the step wrote it into its log; where it had no chance to, what is known."""
    try:
        text, unread = log_and_error(connection.get_text(log_path(run_id, pod)))
    except ClusterError as error:
        text, unread = "", error.message
    failure = failure_in_log(text)
    lines = [line for line in text.rstrip().splitlines() if MARK not in line][-LOG_LINES:]
    if failure is not None:
        return failure.text() if failure.foreseen else "\n".join([*lines, failure.text()])
    if unread:
        more = "further " if lines else ""
        lines.append(f"No {more}log. Received: {unread}. Kubeflow's UI has it as `executor-logs`.")
    fixes = [f"Fix: {fix}" for pattern, fix in _FIXES if re.search(pattern, message, re.IGNORECASE)]
    return "\n".join([*lines, *fixes[:1]])
