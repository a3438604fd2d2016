"""Kubeflow's recurring runs, which are our schedules: found, switched, started now, deleted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from pipeline.cluster.connection import ClusterError, Connection
from pipeline.cluster.submit import equals

PAGE = 50
NOT_FOUND = 404


def find(connection: Connection, name: str, experiment: str) -> list[Any]:
    """Return the recurring runs of this name, or of any name for "", newest first."""
    found: list[Any] = []
    token = ""
    while True:
        page = connection.call(
            connection.recurring.recurring_run_service_list_recurring_runs,
            experiment_id=experiment,
            page_size=PAGE,
            sort_by="created_at desc",
            **({"page_token": token} if token else {}),
            **({"filter": equals("display_name", name)} if name else {}),
        )
        found += page.recurring_runs or []
        token = page.next_page_token or ""
        if not token:
            return sorted(found, key=_age, reverse=True)


def is_enabled(each: Any) -> bool:
    return str(each.status or each.mode) in ("ENABLED", "ENABLE")


def switch(connection: Connection, each: Any, *, on: bool) -> None:
    service = connection.recurring
    method = (
        service.recurring_run_service_enable_recurring_run
        if on
        else service.recurring_run_service_disable_recurring_run
    )
    connection.call(method, each.recurring_run_id)


def enable_new(connection: Connection, each: Any) -> bool:
    """Enable a schedule that was just made; return False where another command has deleted it."""
    try:
        switch(connection, each, on=True)
    except ClusterError as error:
        if error.status == NOT_FOUND:
            return False
        raise ClusterError(
            f"{error.message} The schedule {each.display_name} exists, but is paused. Start it: "
            f"python -m pipeline schedule resume --name {each.display_name}"
        ) from error
    return True


def start_now(connection: Connection, each: Any) -> str:
    """Start one run of what a recurring run holds, whether it is paused or not; return the run's id."""
    import kfp_server_api as api

    run = api.V2beta1Run(
        display_name=f"{each.display_name} {datetime.now(UTC):%Y-%m-%d %H:%M:%S}",
        experiment_id=each.experiment_id,
        pipeline_version_reference=each.pipeline_version_reference,
        runtime_config=each.runtime_config,
        service_account=each.service_account,
    )
    return str(connection.call(connection.runs.run_service_create_run, run).run_id)


def delete(connection: Connection, each: Any) -> None:
    """Delete a recurring run, if it is still there, and let its runs go on, saying which do.

    Without a policy, Kubernetes would collect the Workflow of a run that trains together with its schedule. A run that
    goes on does no harm beside the next slot's: a promotion is a compare-and-swap, and a slot is taken once.
    """
    method = connection.recurring.recurring_run_service_delete_recurring_run
    try:
        connection.call(method, each.recurring_run_id, propagation_policy="ORPHAN")
    except ClusterError as error:
        if error.status != NOT_FOUND:
            raise
    list_runs = connection.runs.run_service_list_runs
    latest = connection.call(list_runs, experiment_id=each.experiment_id, page_size=PAGE, sort_by="created_at desc")
    for run in latest.runs or []:
        if run.recurring_run_id == each.recurring_run_id and run.state in ("PENDING", "RUNNING"):
            click.echo(f"Its run {run.run_id} goes on; python -m pipeline watch {run.run_id}")


def _age(each: Any) -> tuple[datetime, str]:
    """Kubeflow's time is in whole seconds: of two of one second every command must hold the same for newer."""
    return each.created_at, each.recurring_run_id
