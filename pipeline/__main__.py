"""`python -m pipeline`: the command line. Each command's module is imported when that command is called."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import click

DEPLOY = ".venv/deploy"

COMMANDS = {
    "run": ("pipeline.local.run_command", "the whole pipeline on this machine"),
    "runs": ("pipeline.local.history_command", "one page of all runs on this machine"),
    "compile": ("pipeline.compile", "write the KFP definition as YAML"),
    "plan": ("pipeline.cluster.plan", "what a run would do, before anything is sent"),
    "submit": ("pipeline.cluster.submit", "start a run on a cluster"),
    "sweep": ("pipeline.sweep_command", "networks and seeds side by side; the best may be promoted"),
    "watch": ("pipeline.cluster.watch", "follow a run on a cluster to its end"),
    "schedule": ("pipeline.cluster.schedule", "retrain on a schedule"),
    "models": ("pipeline.models", "what the registry holds"),
    "rollback": ("pipeline.models", "promote an earlier version again"),
}


class Commands(click.Group):
    """Imports a command's module when it is requested: `run` must not wait for the cluster's client."""

    def list_commands(self, _context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, _ = COMMANDS[name]
        return getattr(importlib.import_module(module), name.replace("-", "_"))

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.command(cls=Commands)
def pipeline() -> None:
    """Deep MNIST: refuses data the network cannot use, otherwise delivers a promoted model."""


def main() -> None:
    """Run the command line; where only what `make run` needs is installed, say what is missing.

    Raises:
        ImportError: A package is missing although everything was installed.
    """
    try:
        pipeline(prog_name="python -m pipeline")
    except ImportError as error:
        if (Path(__file__).resolve().parents[1] / DEPLOY).exists():
            raise
        sys.exit(f"Expected the packages that speak to a cluster. Received: {error}. Fix: Install them: make {DEPLOY}")


if __name__ == "__main__":
    main()
