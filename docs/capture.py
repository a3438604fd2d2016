"""Write docs/example1.svg: what the doctor really prints of the first example, drawn as a terminal.

python -m docs.capture
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "example1.svg"
SCRIPT = "examples/example1_raw_pixels.py"
COLUMNS = 112


def printed() -> str:
    """Return what `python -m deep_mnist.doctor` prints of the first example, in a terminal's colors.

    Raises:
        RuntimeError: It did not end with 1, the status of an unfit script.
    """
    variables = {**os.environ, "FORCE_COLOR": "1", "TERM": "xterm-256color", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "deep_mnist.doctor", SCRIPT]
    ended = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
    if ended.returncode != 1:
        raise RuntimeError(f"Expected exit status 1. Received: {ended.returncode}.\n{ended.stderr}")
    return ended.stdout


def drawn(output: str) -> str:
    """Return a terminal's output as an SVG."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(output))
    return console.export_svg(title=f"python -m deep_mnist.doctor {SCRIPT}", unique_id="doctor")


def without_seconds(picture: str) -> str:
    """Return the picture without the one thing in it that another run changes."""
    return re.sub(r"\d+\.\d\d(&#160;|\s)s\b", "", picture)


if __name__ == "__main__":
    PICTURE.write_text(drawn(printed()))
