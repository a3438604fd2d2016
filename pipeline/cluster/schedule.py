"""`python -m pipeline schedule`: retrain on a schedule, made or replaced by name.

A schedule is one recurring run of the API. It has no update call, and every creation makes another one; so a digest of
all that a schedule says stands in its description, and `apply` makes nothing when it finds that digest. Otherwise it
creates the new one disabled, deletes the old, and enables the new: at no moment are two enabled, nor do several
commands at once leave more than one. No catch-up of missed slots; max concurrency 1.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import click

from pipeline.cluster.cluster_arguments import (
    cluster_run_options,
    cluster_settings,
    definition_options,
    install_options,
    pipeline_parameters,
)
from pipeline.cluster.connection import ClusterError, Connection, connect, connection_options
from pipeline.cluster.cron import Cron, CronError, parse_cron
from pipeline.cluster.definition import Definition, compile_definition, require_images
from pipeline.cluster.nodes import require_trainer
from pipeline.cluster.recurring import delete, enable_new, find, is_enabled, start_now, switch
from pipeline.cluster.submit import EXPERIMENT, experiment_id, runtime_config
from pipeline.cluster.versions import tag_option, tags_in, upload

MARK = "deep-mnist schedule sha256:"
NAME = "deep-mnist-retraining"
RARE_MINUTES = 10
DONE = {"pause": "PAUSED", "resume": "RESUMED", "delete": "DELETED", "run": "STARTED"}


@dataclass(frozen=True)
class Schedule:
    """What a recurring run shall say."""

    name: str
    cron: Cron
    definition: Definition
    parameters: Mapping[str, Any]
    service_account: str = ""
    pipeline_root: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    def digest(self, server: str) -> str:
        """Hex SHA-256 of everything the schedule says, the definition and its images included.

        The server's version counts: a schedule holds the Workflow that the server compiled when it was made, with the
        driver and the launcher of that version, so that after an upgrade it must be made anew.
        """
        said = [self.cron.expression, self.definition.digest, self.parameters, self.service_account, self.pipeline_root]
        return hashlib.sha256(json.dumps([*said, server], sort_keys=True).encode()).hexdigest()

    def description(self, server: str) -> str:
        return f"{MARK}{self.digest(server)}"


@click.command()
@click.argument("action", type=click.Choice(["apply", "list", *DONE]), default="apply")
@connection_options
@cluster_run_options
@definition_options
@click.option("--name", default=NAME, show_default=True, help="Identifies the schedule in its experiment.")
@click.option(
    "--cron", default="0 0 3 * * *", show_default=True, help="Six fields, seconds first, UTC; five get a 0 in front."
)
@click.option("--experiment", default=EXPERIMENT, show_default=True)
@install_options
@tag_option
@click.option("--always", is_flag=True, help="Train in every slot, changed or not.")
@click.option("--often", is_flag=True, help=f"Allow firings less than {RARE_MINUTES} minutes apart.")
@click.option("--dry-run", is_flag=True, help="Show what would be sent; talk to nobody.")
def schedule(action: str, **options: Any) -> None:
    """Retrain on a schedule: apply (create or replace), list, pause, resume, delete, run (a slot of it now).

    A slot trains when the data, the recipe or the code changed since they were last judged, and says "unchanged" when
    not; nothing in a slot is taken from the cache.
    """
    if action != "apply":
        _act(connect(options), action, options["name"], options["experiment"])
        return
    requested = requested_schedule(options)
    _announce(requested)
    if options["dry_run"]:
        sent = recurring_run(requested, "", "<experiment>", "<pipeline>", "<version>")
        click.echo(json.dumps(sent.to_dict(), default=str))
        click.echo("Dry run: nothing was sent.")
        return
    require_trainer(int(requested.parameters.get("nodes", 1)))
    connection = connect(options)
    click.echo(apply(connection, requested, experiment_id(connection, options["experiment"])))


def requested_schedule(options: Mapping[str, Any]) -> Schedule:
    """Return the schedule that the options describe.

    Raises:
        click.BadParameter: The cron expression is wrong, or fires suspiciously often.
    """
    try:
        cron = parse_cron(options["cron"])
    except CronError as error:
        raise click.BadParameter(str(error), param_hint="--cron") from error
    minutes = cron.shortest_pause().total_seconds() / 60
    if minutes < RARE_MINUTES and not options["often"]:
        raise click.BadParameter(
            f"Expected at least {RARE_MINUTES} minutes between two firings. Received: {cron.expression!r}, which means "
            f"{cron.meaning()}: {minutes:g} minutes. If that is meant, say --often.",
            param_hint="--cron",
        )
    if not options["dry_run"]:
        require_images()
    definition = compile_definition(
        gpu=options["gpu"], settings=cluster_settings(options), reuse=False, retraining=not options["always"]
    )
    # Every slot fetches the data anew, so no token is needed, and the same command gives the same digest.
    of_runs = pipeline_parameters(definition, needs_store=not options["dry_run"], **options)
    parameters = {**of_runs, "dataset_digest": "", "run_name": options["name"]}
    where = (options["service_account"], options["pipeline_root"])
    return Schedule(options["name"], cron, definition, parameters, *where, tags_in(options["tag"]))


def _announce(requested: Schedule) -> None:
    if requested.cron.five:
        click.echo(f"Five fields are taken as minute first; with the second in front: {requested.cron.expression!r}")
    click.echo(f"{requested.name}: {requested.cron.expression!r} means {requested.cron.meaning()} (UTC)")
    for firing in requested.cron.next(3):
        click.echo(f"  next {firing:%Y-%m-%d %H:%M:%S} UTC")


def recurring_run(requested: Schedule, server: str, experiment: str, pipeline: str, version: str) -> Any:
    """Return the API's object, disabled: no catch-up, one run at a time."""
    import kfp_server_api as api

    return api.V2beta1RecurringRun(
        display_name=requested.name,
        description=requested.description(server),
        experiment_id=experiment,
        pipeline_version_reference=api.V2beta1PipelineVersionReference(
            pipeline_id=pipeline, pipeline_version_id=version
        ),
        runtime_config=runtime_config(requested.parameters, requested.pipeline_root),
        service_account=requested.service_account or None,
        max_concurrency="1",
        no_catchup=True,
        mode="DISABLE",
        trigger=api.V2beta1Trigger(cron_schedule=api.V2beta1CronSchedule(cron=requested.cron.expression)),
    )


def apply(connection: Connection, requested: Schedule, experiment: str) -> str:
    """Make the cluster hold exactly this schedule under its name; return what was done.

    Other commands may do so at the same moment. The newest stays for all of them: each looks again once its own is
    there, deletes all but the newest, its own too, and enables its own only.
    """
    found = find(connection, requested.name, experiment)
    same = bool(found) and requested.description(connection.version) in (found[0].description or "")
    if same and len(found) == 1:
        return f"UNCHANGED {_line(found[0])}"
    enabled = not found or any(is_enabled(each) for each in found)
    own = found[0] if same else _create(connection, requested, experiment)
    newest, *others = found if same else find(connection, requested.name, experiment) or [own]
    for other in others:
        delete(connection, other)
    stays = newest.recurring_run_id == own.recurring_run_id
    if not stays or (enabled and not is_enabled(own) and not enable_new(connection, own)):
        return f"OVERTAKEN {requested.name}: another command made it at the same moment; `schedule list` shows it"
    done = "REPLACED" if others else "CREATED"
    state = "enabled" if enabled else "paused, as it was; `schedule resume` starts it"
    return f"{done} {requested.name} id={own.recurring_run_id} {state}"


def _create(connection: Connection, requested: Schedule, experiment: str) -> Any:
    pipeline, version = upload(connection, requested.definition, requested.tags)
    body = recurring_run(requested, connection.version, experiment, pipeline, version)
    return connection.call(connection.recurring.recurring_run_service_create_recurring_run, body)


def _act(connection: Connection, action: str, name: str, experiment: str) -> None:
    identity = experiment_id(connection, experiment, create=False)
    found = find(connection, "" if action == "list" else name, identity) if identity else []
    if action == "list":
        for each in found:
            click.echo(_line(each))
        click.echo(f"{len(found)} in the experiment {experiment}")
        return
    if not found:
        raise ClusterError(f"Expected a schedule named {name!r} in the experiment {experiment!r}. Received: none.")
    if action in ("resume", "run") and len(found) > 1:
        raise ClusterError(
            f"Expected one schedule named {name!r}. Received: {len(found)}. `schedule apply` leaves one."
        )
    for each in found:
        if action == "run":
            click.echo(f"Its run {start_now(connection, each)} began; python -m pipeline watch follows it")
        elif action == "delete":
            delete(connection, each)
        else:
            switch(connection, each, on=action == "resume")
        click.echo(f"{DONE[action]} {name} id={each.recurring_run_id}")


def _line(each: Any) -> str:
    cron = each.trigger.cron_schedule.cron if each.trigger and each.trigger.cron_schedule else "no cron"
    state = "enabled" if is_enabled(each) else "paused"
    return f"{each.display_name} {state} {cron!r} id={each.recurring_run_id}{_next(each, cron)}"


def _next(each: Any, cron: str) -> str:
    try:
        firing: datetime = parse_cron(cron).next(1)[0]
    except CronError:
        return ""
    return f" next={firing:%Y-%m-%dT%H:%M:%SZ}" if is_enabled(each) else ""
