"""`python -m pipeline run`: what `make run` calls."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from deep_mnist.data.transfer import cache_folder
from deep_mnist.forms.form import INSTALL, forms_named, missing_packages
from deep_mnist.registry.signature import SignatureError
from deep_mnist.registry.signing import Trust
from deep_mnist.storage.address import is_address
from pipeline.command_options import run_options
from pipeline.containers.engine import ContainersError
from pipeline.containers.runner import require_ready
from pipeline.local.display import LastingConsole, display, print_last
from pipeline.local.history_page import write_history_page
from pipeline.local.lineage import RunLineage
from pipeline.local.local_arguments import local_arguments
from pipeline.local.process import Run, run_here
from pipeline.local.report import write_report
from pipeline.local.run_outcome import outcome_of
from pipeline.local.tracking import MlflowRun
from pipeline.resources import INSPECTION_FOLDS, gpus_here
from pipeline.run_arguments import RunArguments, UsageError


@click.command()
@run_options
@click.option("--store", default="./registry", show_default=True, help="The model registry: a folder or an address.")
@click.option(
    "--gpu", default="0", show_default=True, help="GPUs that training must have; 0 takes what the machine has."
)
@click.option("--runs", type=click.Path(path_type=Path), default="./runs", show_default=True, help="Folder for runs.")
@click.option("--rehearse", is_flag=True, help="Run the network for some seconds before it is trained, and judge that.")
@click.option("--inspect-labels", is_flag=True, help="Before the training, name single labels that are likely wrong.")
@click.option("--docker", is_flag=True, help="Each step in its container; `make images` builds them.")
@click.option("--mlflow", default="", metavar="URI", help="Log the run to this MLflow when it has ended.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the last line.")
def run(runs: Path, rehearse: bool, inspect_labels: bool, **options: Any) -> None:
    """Run the whole pipeline here; the last line says how it ended (exit status 0, or 1 when it failed)."""
    inspection = INSPECTION_FOLDS if inspect_labels else 0
    shown = {name: options.pop(name) for name in ("docker", "as_json", "mlflow")}
    sys.exit(run_shown(runs, rehearsal=rehearse, inspection=inspection, options=options, **shown))


def run_shown(
    runs: Path,
    *,
    rehearsal: bool = False,
    inspection: int = 0,
    docker: bool,
    as_json: bool,
    options: Mapping[str, Any],
    trials: Sequence[Mapping[str, Any]] = (),
    parallelism: int = 0,
    mlflow: str = "",
) -> int:
    """Run here, show how it goes, print the last line, and return the exit status.

    Args:
        runs: Folder for runs.
        rehearsal: Rehearse the network before it is trained.
        inspection: Folds in which single labels are inspected before that; 0 leaves it out.
        docker: Each step in its container.
        as_json: Print one JSON object instead of the last line.
        options: Those of `local_arguments`.
        trials: Of a sweep; none for the training pipeline.
        parallelism: How many of them at the same time.
        mlflow: Address of an MLflow that learns of the run, "" for none.

    Raises:
        click.UsageError: What is requested cannot be run.
    """
    console = LastingConsole(stderr=as_json, soft_wrap=True)
    try:
        arguments = local_arguments(runs=runs, **options)
        values = arguments.to_dict()
        if trials:
            del values["network"]
            values["trials"] = list(trials)
        mounts = _mounts(arguments, runs) if docker else ()
        if not docker:
            _require_packages(arguments.forms)
            if arguments.require_gpu:
                require_devices(int(options["gpu"]))
        tracked = MlflowRun(mlflow) if mlflow else None
        lineage = RunLineage(partial(console.print, markup=False, highlight=False))
        with display(console, quiet=as_json) as shown:

            def on_change(run: Run) -> None:
                shown(run)
                lineage.follow(run)

            ended = run_here(
                values,
                runs,
                rehearsal=rehearsal,
                inspection=inspection,
                containers=docker,
                mounts=mounts,
                parallelism=parallelism,
                on_change=on_change,
            )
            shown(ended)
    except UsageError as error:
        raise click.UsageError(str(error)) from error
    return _conclude(ended, console, as_json, lineage, tracked)


def _conclude(ended: Run, console: Console, as_json: bool, lineage: RunLineage, tracked: MlflowRun | None) -> int:
    path = ended.folder / "report.html"
    outcome = outcome_of(ended, _short(path))
    say = partial(console.print, markup=False, highlight=False)
    if outcome.exit_status and not as_json:
        say(outcome.reason)
    try:
        write_report(ended, outcome, path)
        (ended.folder / "outcome.json").write_text(outcome.to_json() + "\n")
        say(f"All runs: {_short(write_history_page(ended.folder.parent))}")
    except OSError as error:
        say(f"Expected to write {error.filename or path}. Received: {error.strerror}.")
    lineage.end(ended, outcome)
    if tracked:
        say(tracked.log(ended, outcome))
    if as_json:
        print_last(outcome.to_json())
        return outcome.exit_status
    print_last(outcome.line)
    return outcome.exit_status


def _short(path: Path) -> Path:
    """Return the path relative to where the user stands, when it lies below."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _mounts(arguments: RunArguments, runs: Path) -> tuple[tuple[str, bool], ...]:
    """Return the host paths that the containers need, each with whether it is read only."""
    Path(arguments.checkpoints).mkdir(parents=True, exist_ok=True)
    cache_folder().mkdir(parents=True, exist_ok=True)
    paths = [(str(runs.resolve()), False), (str(cache_folder().resolve()), False)]
    if not is_address(arguments.registry):
        Path(arguments.registry).mkdir(parents=True, exist_ok=True)
        paths.append((arguments.registry, False))
    paths += [(path, True) for path in (arguments.dataset, arguments.model, arguments.labels) if path.startswith("/")]
    _require_containers(paths, gpu=arguments.require_gpu)
    return tuple(paths)


def _require_packages(forms: Sequence[str]) -> None:
    """Find out now, not after the training, that a form cannot be made, or the version not be signed."""
    try:
        trust = Trust.from_environment()
        trust.require_package()
        trust.require_token()
    except SignatureError as error:
        raise UsageError(str(error)) from error
    if missing := missing_packages(forms_named(forms)):
        raise UsageError(f"Expected {', '.join(missing)} for --forms. Received: not installed. Fix: {INSTALL}")


def require_devices(count: int) -> None:
    """Find out now, not after the download, that this machine has no GPUs, where it tells."""
    here = gpus_here()
    if here is not None and here < count:
        found = f"{here}" if here else "no GPU device on this machine, or CUDA_VISIBLE_DEVICES hides it"
        raise UsageError(f"Expected {count} GPU{'s' * (count > 1)}. Received: {found}. Fix: --gpu {here}")


def _require_containers(paths: list[tuple[str, bool]], *, gpu: bool) -> None:
    """Find out now, not in the first step, that containers cannot be used."""
    try:
        require_ready([(Path(path), read_only) for path, read_only in paths], gpu=gpu)
    except ContainersError as error:
        raise UsageError(str(error)) from error
