"""`python -m pipeline watch`: follow a run on a cluster; show what it decided, or why a step failed.

Exit status: 0 succeeded, 1 failed, 3 canceled, 4 still running when the patience was over, 2 the cluster cannot be
used, 130 interrupted (the run goes on).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import click

from components.argo_workflow import NAMELESS, is_packed, pending_pods, repeated_pods, steps_from_cache
from pipeline.cluster.connection import ClusterError, ClusterUnreachableError, Connection, connect, connection_options
from pipeline.cluster.ended import decisions, explain, final_state, workflow_of
from pipeline.cluster.pending import waiting_for
from pipeline.cluster.step_states import CACHED, StepTable, details_in, step_states, steps_of, task_details

EXIT_STATUS = {"SUCCEEDED": 0, "FAILED": 1, "SKIPPED": 1, "CANCELED": 3}
STILL_RUNNING, INTERRUPTED = 4, 130
WORKFLOW_SECONDS = 60.0  # after which the Workflow is read though the API's own details promise nothing new
OUTAGE_SECONDS = 600.0  # how long the API may be away while a run is watched: a Kubeflow that is upgraded
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
    again = f"it goes on; python -m pipeline watch {run_id}"
    try:
        run, pending = _until_ended(connection, run_id, poll, started + patience)
    except KeyboardInterrupt:
        click.echo(f"INTERRUPTED run={run_id} goes on; python -m pipeline watch {run_id}")
        return INTERRUPTED
    except ClusterUnreachableError as error:
        raise ClusterUnreachableError(f"{error.message} Run {run_id} is not ended by that: {again}") from error
    if run.state not in EXIT_STATUS:
        for step, reason in pending.items():
            click.echo(f"{step} is pending: {reason}" if reason else f"{step} is pending")
        click.echo(f"RUNNING run={run_id} after {patience:g} s; {again}")
        return STILL_RUNNING
    state = final_state(connection, run)
    if state == "SUCCEEDED":
        for line in decisions(connection, run_id):
            click.echo(line)
    elif state != "CANCELED":
        explain(connection, run)
    click.echo(f"{state} run={run_id} seconds={time.monotonic() - started:.1f}")
    return EXIT_STATUS[state]


def _until_ended(connection: Connection, run_id: str, poll: float, deadline: float) -> tuple[Any, dict[str, str]]:
    """Return the run as it is at its end or at the deadline, and what its pending steps wait for."""
    steps: dict[str, int] | None = None
    cached: dict[str, bool] = {}
    read, packed = time.monotonic(), False
    with StepTable() as table:
        for run in _looks(connection, run_id, poll, table.say):
            steps = _steps(connection, run) if steps is None else steps
            states = step_states(task_details(run), steps)
            due = packed or time.monotonic() - read > WORKFLOW_SECONDS
            workflow = _workflow(connection, run, states, cached, due=due)
            if workflow:
                read, packed = time.monotonic(), is_packed(workflow)
                states = step_states(details_in(workflow), steps) if packed else states
            pending = {} if run.state in EXIT_STATUS else _pending(workflow, steps)
            cached |= _cached(workflow, states)
            table.say_repeated(each for each in repeated_pods(workflow) if each[1].step in steps)
            table.show({**_with_cache(states, cached), **_with_reasons(pending)})
            if run.state in EXIT_STATUS or time.monotonic() > deadline:
                return run, pending
    raise ClusterError(f"Expected news of run {run_id}. Received: none.")


def _workflow(
    connection: Connection, run: Any, states: Mapping[str, str], cached: Mapping[str, bool], *, due: bool
) -> Mapping[str, Any]:
    """Return the run's Workflow, some hundred KB, where something is to be learned from it or it is due, else nothing.

    It is due now and then, for a run that has ended, and always once Argo has packed it: then it alone has the steps.
    """
    news = any(state == "SUCCEEDED" and step not in cached for step, state in states.items())
    waits = run.state not in EXIT_STATUS and any(each.state == "PENDING" for each in task_details(run))
    try:
        wanted = news or waits or due or run.state in EXIT_STATUS
        return workflow_of(connection, run.run_id) if wanted else {}
    except ClusterError:
        return {}


def _pending(workflow: Mapping[str, Any], steps: Mapping[str, int]) -> dict[str, str]:
    """Return what each pending step waits for, "" where nobody has said."""
    pods = [each for each in pending_pods(workflow) if each.step in (*steps, NAMELESS)]
    return {each.step: waiting_for(each.message) for each in pods if each.message or each.step != NAMELESS}


def _with_reasons(pending: Mapping[str, str]) -> dict[str, str]:
    return {step: f"PENDING {reason}".rstrip() for step, reason in pending.items()}


def _cached(workflow: Mapping[str, Any], states: Mapping[str, str]) -> dict[str, bool]:
    """Return for each step that has succeeded whether its result is an earlier one."""
    if not workflow:
        return {}
    reused = steps_from_cache(workflow)
    return {step: step in reused for step, state in states.items() if state == "SUCCEEDED"}


def _with_cache(states: Mapping[str, str], cached: Mapping[str, bool]) -> dict[str, str]:
    return {step: f"{state} {CACHED}" if cached.get(step) else state for step, state in states.items()}


def _looks(connection: Connection, run_id: str, poll: float, say: Callable[[str], None]) -> Iterator[Any]:
    """Yield the run every `poll` seconds, over short outages of the API, of which it says when they begin and end."""
    reached, away = time.monotonic(), False
    while True:
        try:
            run = connection.call(connection.runs.run_service_get_run, run_id)
        except ClusterUnreachableError as error:
            if time.monotonic() - reached > OUTAGE_SECONDS:
                raise
            if not away:
                say(f"{error.message} The run goes on; waiting for the API for {OUTAGE_SECONDS:g} s at most.")
            away = True
        else:
            if away:
                say("The API answers again; what it tells may be some minutes old.")
            reached, away = time.monotonic(), False
            yield run
        time.sleep(poll)


def _steps(connection: Connection, run: Any) -> dict[str, int]:
    """Return the steps in the run's definition, each with how many times it runs."""
    spec = run.pipeline_spec
    reference = run.pipeline_version_reference
    if not spec and reference:
        get = connection.pipelines.pipeline_service_get_pipeline_version
        spec = connection.call(get, reference.pipeline_id, reference.pipeline_version_id).pipeline_spec
    parameters = (run.runtime_config.parameters if run.runtime_config else None) or {}
    return steps_of((spec or {}).get("pipeline_spec", spec or {}), parameters)
