"""Start `python -m pipeline run` as a user does, and read what came of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from deep_mnist.processes import ADDRESS

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ended:
    status: int
    lines: list[str]
    errors: str

    @property
    def last(self) -> str:
        return self.lines[-1] if self.lines else ""

    @property
    def report(self) -> Path:
        return Path(self.last.rpartition("report=")[2])

    @property
    def folder(self) -> Path:
        return self.report.parent

    def events(self) -> list[dict]:
        return [json.loads(line) for line in (self.folder / "events.jsonl").read_text().splitlines()]


def command(*options: object, verb: tuple[str, ...] = ("run",)) -> list[str]:
    return [sys.executable, "-m", "pipeline", *verb, *map(str, options)]


def environment(**more: str) -> dict[str, str]:
    """A user's: no server is there already."""
    own = {name: value for name, value in os.environ.items() if name != ADDRESS}
    return {**own, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "COLUMNS": "200", **more}


def run_pipeline(folder: Path, *options: object, verb: tuple[str, ...] = ("run",), **more: str) -> Ended:
    """Run to the end in `folder`, which gets `runs` and `registry`; a fork server of the tests forks its steps."""
    served = {ADDRESS: os.environ[ADDRESS]} if ADDRESS in os.environ else {}
    there = environment(**served, **more)
    done = subprocess.run(
        command(*options, verb=verb), cwd=folder, env=there, capture_output=True, text=True, timeout=550, check=False
    )
    ended = Ended(done.returncode, done.stdout.splitlines(), done.stderr)
    return Ended(
        ended.status, [*ended.lines[:-1], ended.last.replace("report=runs", f"report={folder}/runs")], ended.errors
    )


def processes_of(run_folder: Path) -> list[psutil.Process]:
    """Return every living process whose command line names the run's folder, or that writes to a log in it."""
    living = [
        each for each in psutil.process_iter(["cmdline", "status"]) if each.info["status"] != psutil.STATUS_ZOMBIE
    ]
    return [
        each
        for each in living
        if str(run_folder) in " ".join([*(each.info["cmdline"] or []), _standard_output(each.pid)])
    ]


def _standard_output(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/fd/1").readlink())
    except OSError:  # it has ended, or is another user's
        return ""
