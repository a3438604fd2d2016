"""Run pytest and print how much of the library ran, in all processes together: `python -m tests.support.measured ARGS`.

Exit status: pytest's; 2 when the tests passed and fewer lines ran than `fail_under` of pyproject.toml demands.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import sysconfig
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from tests.support.probes import LIBRARY, LINES

ROOT = LIBRARY.parent
PROBES = str(Path(__file__).parent)  # the folder of probes.py
MEASURED_BY = "MEASURED_BY"  # the variable that names it
START = "(sys.path.insert(0, folder), __import__('probes'), sys.path.remove(folder))"  # once, however often it is run
AT_START = f"import os, sys; folder = os.environ.get({MEASURED_BY!r}); folder and {START}\n"  # one line of a .pth file


def run_measured(arguments: list[str], folder: Path) -> int:
    """Run pytest with probes in it and in all that it starts; return its exit status."""
    hook = Path(sysconfig.get_path("purelib")) / "measured_lines.pth"  # what coverage.py does, too
    if not hook.exists() or hook.read_text() != AT_START:
        hook.write_text(AT_START)
    environment = {**os.environ, LINES: str(folder), MEASURED_BY: PROBES}
    process = subprocess.Popen([sys.executable, "-m", "pytest", *arguments], env=environment)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # pytest ends by itself
    return process.wait()


def lines_in(folder: Path) -> dict[str, set[int]]:
    """Return all lines that processes have written, by file."""
    found: dict[str, set[int]] = defaultdict(set)
    for path in folder.glob("*.json"):
        for file, lines in json.loads(path.read_text()).items():
            found[file].update(lines)
    return found


def report(lines: dict[str, Iterable[int]], library: Path = LIBRARY) -> bool:
    """Print coverage.py's report on the lines; return whether they are as many as pyproject.toml demands."""
    from coverage import Coverage
    from coverage.results import should_fail_under

    measured = Coverage(config_file=str(ROOT / "pyproject.toml"), data_file=None)
    measured.get_data().add_lines({file: set(seen) for file, seen in lines.items()})
    measured.get_data().touch_files([str(path) for path in library.rglob("*.py")])
    total = measured.report()
    floor, precision = measured.get_option("report:fail_under"), measured.get_option("report:precision")
    enough = not should_fail_under(total, float(floor), int(precision))
    print(f"Expected at least {floor} % of the library's lines to run. Received: {total:.{precision}f} %.")
    return enough


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="measured-lines-") as folder:
        status = run_measured(sys.argv[1:], Path(folder))
        enough = report(lines_in(Path(folder)))
    return status or (0 if enough else 2)


if __name__ == "__main__":
    sys.exit(main())
