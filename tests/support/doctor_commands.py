"""Runs the doctor's command: in this process, in one of its own, or many in forks of one that has TensorFlow."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deep_mnist.processes import run_module

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Ended:
    """What one command did."""

    status: int
    out: str
    err: str

    @property
    def reported(self) -> dict[str, Any]:
        """What it printed with --json."""
        return json.loads(self.out)


def doctor(*arguments: object, folder: Path = ROOT, **environment: str) -> Ended:
    """Run the command in a new interpreter, without input."""
    command = [sys.executable, "-m", "deep_mnist.doctor", *map(str, arguments)]
    given = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", **environment}
    done = subprocess.run(
        command, cwd=folder, env=given, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def doctors(runs: Mapping[str, Sequence[object]], folder: Path, **environment: str) -> dict[str, Ended]:
    """Run many commands, one after another; with `fresh_processes`, in forks of one that has imported TensorFlow.

    Args:
        runs: Name -> arguments.
        folder: Their working directory.
        **environment: Added to this process's.
    """
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    given = {**os.environ, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3", **environment}
    ended = {}
    for name, arguments in runs.items():
        done = run_module("deep_mnist.doctor", [*map(str, arguments)], environment=given, folder=folder)
        ended[name] = Ended(done.returncode, done.stdout, done.stderr)
    return ended


def doctor_here(*arguments: object) -> Ended:
    """Run the command's main in this process: for what runs no program."""
    from deep_mnist.doctor.__main__ import main

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main([*map(str, arguments)])
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else 1
    return Ended(status, out.getvalue(), err.getvalue())
