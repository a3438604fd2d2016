"""`python -m pipeline runs`: what the runs on this machine came to."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pipeline.local.history import past_runs
from pipeline.local.history_page import write_history_page


@click.command()
@click.option(
    "--runs", type=click.Path(path_type=Path), default="./runs", show_default=True, help="Folder of the runs."
)
@click.option("--json", "as_json", is_flag=True, help="Print the runs as a JSON list, the latest first; write nothing.")
def runs(runs: Path, as_json: bool) -> None:
    """Write the page of all runs, index.html in their folder, and name it; `run` does so at its end."""
    if not runs.is_dir():
        raise click.UsageError(f"Expected a folder of runs. Received: {runs}. Fix: --runs=the RUNS of make run")
    found = past_runs(runs)
    if as_json:
        click.echo(json.dumps([run.to_dict() for run in found]))
        return
    try:
        path = write_history_page(runs)
    except OSError as error:
        raise click.ClickException(
            f"Expected to write {runs}/index.html. Received: {error.strerror}. Fix: make {runs} writable, or use --json"
        ) from error
    click.echo(f"{len(found)} run{'' if len(found) == 1 else 's'}: {path}")
