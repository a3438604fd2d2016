"""`make test` knows which lines of the library ran, in whatever process, and demands that they are enough."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support import measured
from tests.support.probes import LIBRARY, LINES

# A process, its fork that ends as multiprocessing's do, and a module that is run: each imports what no other does.
PROCESSES = """
import os, runpy
import deep_mnist.errors
if os.fork() == 0:
    import deep_mnist.storage.address
    os._exit(0)
os.wait()
try:
    runpy.run_module("deep_mnist.serving", run_name="__main__")
except SystemExit:
    pass
"""


def number_of(path: Path, text: str) -> int:
    """The number of the first line that starts so."""
    return next(number for number, line in enumerate(path.read_text().splitlines(), 1) if line.startswith(text))


def test_lines_of_all_processes_are_noted(tmp_path):
    """What ran counts, in a process, its fork and a module run as a command; what was not called does not."""
    environment = {**os.environ, measured.MEASURED_BY: measured.PROBES, LINES: str(tmp_path)}
    subprocess.run(
        [sys.executable, "-c", measured.AT_START + PROCESSES, "--help"], cwd=measured.ROOT, env=environment,
        capture_output=True, timeout=120, check=True,
    )  # fmt: skip
    lines = measured.lines_in(tmp_path)
    errors, address, command = (LIBRARY / each for each in ("errors.py", "storage/address.py", "serving/__main__.py"))

    for path in (errors, address, command):
        assert lines[str(path)], path
    assert number_of(errors, "def advice_of(") in lines[str(errors)]
    assert number_of(errors, "    message = str(error)") not in lines[str(errors)]


def test_too_few_lines_are_refused(capsys):
    """The floor of pyproject.toml holds for all files together, those that nobody imported included."""
    part = LIBRARY / "storage"
    whole = {str(path): range(1, 1000) for path in part.rglob("*.py")}
    some = dict(list(whole.items())[: len(whole) // 2])

    assert measured.report(whole, part) is True
    assert measured.report(some, part) is False
    assert "Expected at least 90.0 % of the library's lines to run." in capsys.readouterr().out
