"""`python -m pipeline submit`: start a run on a cluster.

Exit status: 0 when the run was accepted, 2 when nothing was started; with --wait, that of `watch`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import click

from pipeline.cluster.cluster_arguments import (
    cluster_run_options,
    cluster_settings,
    definition_options,
    install_options,
    pipeline_parameters,
)
from pipeline.cluster.connection import Connection, connect, connection_options, found_or_made
from pipeline.cluster.definition import Definition, compile_definition, require_images
from pipeline.cluster.nodes import require_trainer
from pipeline.cluster.watch import follow, watch_options

EXPERIMENT = "deep-mnist"


@click.command()
@connection_options
@cluster_run_options
@definition_options
@click.option("--experiment", default=EXPERIMENT, show_default=True, help="Created when it does not exist.")
@click.option("--run-name", default="", help="Default: the pipeline's name and the time.")
@install_options
@click.option("--fresh", is_flag=True, help="Reuse no step's earlier result.")
@click.option("--wait", is_flag=True, help="Watch the run; the exit status says how it ended.")
@watch_options
def submit(**options: Any) -> None:
    """Start a run on a cluster. `plan` with the same options shows what it would do."""

    def made() -> tuple[Definition, dict[str, Any]]:
        settings = cluster_settings(options)
        definition = compile_definition(gpu=options["gpu"], reuse=not options["fresh"], settings=settings)
        return definition, pipeline_parameters(definition, pin_model=True, **options)

    send(made, options)


def send(made: Callable[[], tuple[Definition, dict[str, Any]]], options: Mapping[str, Any]) -> None:
    """Start a run of a definition with its parameters, and with --wait, watch it and exit as it ended."""
    require_images()
    definition, parameters = made()
    require_trainer(int(parameters.get("nodes", 1)))
    connection = connect(options)
    run = start_run(connection, definition, parameters, **_only(options, _RUN_OPTIONS))
    click.echo(f"STARTED run={run.run_id} name={run.display_name!r}")
    if options["wait"]:
        sys.exit(follow(connection, run.run_id, poll=options["poll"], patience=options["patience"]))


_RUN_OPTIONS = ("experiment", "run_name", "service_account", "pipeline_root")


def start_run(
    connection: Connection,
    definition: Definition,
    parameters: Mapping[str, Any],
    *,
    experiment: str = EXPERIMENT,
    run_name: str = "",
    service_account: str = "",
    pipeline_root: str = "",
) -> Any:
    """Create the run and return it as the API does."""
    import kfp_server_api as api

    name = run_name or f"{definition.name} {datetime.now(UTC):%Y-%m-%d %H:%M:%S}"
    run = api.V2beta1Run(
        display_name=name,
        experiment_id=experiment_id(connection, experiment),
        pipeline_spec=definition.body,
        runtime_config=runtime_config({**parameters, "run_name": name}, pipeline_root),
        service_account=service_account or None,
    )
    return connection.call(connection.runs.run_service_create_run, run)


def runtime_config(parameters: Mapping[str, Any], pipeline_root: str) -> Any:
    import kfp_server_api as api

    return api.V2beta1RuntimeConfig(parameters=dict(parameters), pipeline_root=pipeline_root or None)


def experiment_id(connection: Connection, name: str, *, create: bool = True) -> str:
    """Return the id of the experiment of this name, made when there is none; "" when it may not be made."""
    import kfp_server_api as api

    service, namespace = connection.experiments, connection.namespace or None

    def find() -> str:
        listed = service.experiment_service_list_experiments
        found = connection.call(listed, filter=equals("name", name), namespace=namespace, page_size=2)
        return str(found.experiments[0].experiment_id) if found.experiments else ""

    def make() -> str:
        requested = api.V2beta1Experiment(display_name=name, namespace=namespace)
        return str(connection.call(service.experiment_service_create_experiment, requested).experiment_id)

    return found_or_made(find, make) if create else find()


def equals(key: str, value: str) -> str:
    """Return the API's filter for one field that equals a text."""
    return json.dumps({"predicates": [{"operation": "EQUALS", "key": key, "stringValue": value}]})


def _only(options: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: options[name] for name in names}
