"""python -m bench.suite: how long all tests take, as `make test` runs them, and which five take longest.

A test's seconds are those of its call and of what is set up for it, fixtures of a whole file included.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.claims import Claim, tell

ROOT = Path(__file__).resolve().parents[1]
GOAL = 240.0  # seconds, on two quiet cores
LONGEST = 5


def main() -> int:
    """Print the figure with its goal; 0 when it is met and every test passed."""
    with tempfile.NamedTemporaryFile("w+", suffix=".log") as log:
        started = time.monotonic()
        environment = {**os.environ, "PYTEST_ADDOPTS": f"--durations={LONGEST}"}
        done = subprocess.run(["make", "test"], cwd=ROOT, env=environment, stdout=log, stderr=log, check=False)
        seconds = time.monotonic() - started
        log.seek(0)
        said = log.read()
    print("\n".join(re.findall(r"^\d+\.\d+s (?:call|setup|teardown) .*$", said, re.MULTILINE)))
    print(next(iter(re.findall(r"^.*\d+ passed.*$", said, re.MULTILINE)), said[-3000:]))
    met = tell(Claim("seconds of make test", seconds, GOAL, digits=0))
    return 0 if met and not done.returncode else 1


if __name__ == "__main__":
    sys.exit(main())
