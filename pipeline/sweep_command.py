"""`python -m pipeline sweep`: networks and seeds side by side, as one run; the best may be promoted.

With --host (or KF_PIPELINES_ENDPOINT) the run is started on that cluster, as `submit` does; without, or with --here, it
runs on this machine, as `run` does. Exit status and last line are those of `submit` and of `run`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from pipeline.cluster.cluster_arguments import (
    cluster_run_options,
    definition_options,
    install_options,
    sweep_for_cluster,
)
from pipeline.cluster.connection import connection_options
from pipeline.cluster.submit import EXPERIMENT, send
from pipeline.cluster.watch import watch_options
from pipeline.command_options import RUN_OPTIONS, SWEEP_OPTIONS, add_options
from pipeline.local.run_command import run_shown
from pipeline.run_arguments import UsageError
from pipeline.trials import trials_of


@click.command()
@add_options(*SWEEP_OPTIONS)
@cluster_run_options
@definition_options
@click.option("--here", is_flag=True, help="On this machine, even where a cluster is named.")
@click.option("--runs", type=click.Path(path_type=Path), default="./runs", show_default=True, help="Here: for runs.")
@click.option("--docker", is_flag=True, help="Here: each step in its container; `make images` builds them.")
@click.option("--mlflow", default="", metavar="URI", help="Here: log the sweep and its trials to this MLflow.")
@click.option("--json", "as_json", is_flag=True, help="Here: print one JSON object instead of the last line.")
@connection_options
@click.option("--experiment", default=EXPERIMENT, show_default=True, help="On a cluster: created when there is none.")
@click.option("--run-name", default="", help="On a cluster; default: the pipeline's name and the time.")
@install_options
@click.option("--fresh", is_flag=True, help="On a cluster: reuse no step's earlier result.")
@click.option("--wait", is_flag=True, help="On a cluster: watch the run; the exit status says how it ended.")
@watch_options
def sweep(here: bool, runs: Path, docker: bool, as_json: bool, mlflow: str, **options: Any) -> None:
    """Train networks and seeds side by side, judge the best once, and promote it if it may be.

    The best is that of the highest validation accuracy; the test split judges only this one. All trials share one
    split of the data, that of --seed. `plan --sweep` with the same options shows what it would do.
    """
    if here or not options["host"]:
        sys.exit(_run_here(runs, docker, as_json, mlflow, options))
    if mlflow:
        raise click.UsageError(
            f"Expected --mlflow for a sweep on this machine. Received: {mlflow}. Fix: --here, or KFP's plugin"
        )
    sweeping = {name: options[name] for name in ("seeds", "networks", "parallelism")}
    rest = {name: value for name, value in options.items() if name not in sweeping}
    send(lambda: sweep_for_cluster(reuse=not options["fresh"], pin_model=True, **sweeping, **rest), options)


# --networks takes its place.
sweep.params = [each for each in sweep.params if each.name != "network"]


def _run_here(runs: Path, docker: bool, as_json: bool, mlflow: str, options: dict[str, Any]) -> int:
    try:
        trials = trials_of(options["seeds"], options["networks"], model=options["model"])
    except UsageError as error:
        raise click.UsageError(str(error)) from error
    chosen = {name: options[name] for name in RUN_OPTIONS if name != "network"}
    chosen |= {"network": trials[0]["network"], "gpu": str(options["gpu"]), "store": options["store"] or "./registry"}
    parallelism = options["parallelism"]
    return run_shown(
        runs,
        docker=docker,
        as_json=as_json,
        options=chosen,
        trials=trials,
        parallelism=parallelism,
        mlflow=mlflow,
    )
