"""`runs/index.html`: every run in a folder on one static page, made anew after each run."""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote

from filelock import FileLock, Timeout
from markupsafe import Markup

from deep_mnist.chart import chart
from deep_mnist.html import page, template
from pipeline.local.history import PastRun, past_runs
from pipeline.states import RunStatus

INDEX = "index.html"
# Of two runs that end at once the later reader must write last; a lock that is held longer is somebody's leftover.
LOCK_SECONDS = 10.0
MOST_DOTS = 60
TONES = {
    RunStatus.PUBLISHED: "good",
    RunStatus.NOT_PROMOTED: "warn",
    RunStatus.FAILED: "bad",
    RunStatus.INTERRUPTED: "warn",
    RunStatus.UNFINISHED: "warn",
}

_BODY = template(Path(__file__).with_name("history.html.j2"))


def write_history_page(runs: Path) -> Path:
    """Write the page of the runs in a folder in one step, so that no reader ever sees half of it; return its path.

    Raises:
        OSError: The folder cannot be written.
    """
    index, lock = runs / INDEX, FileLock(runs / ".index.lock", timeout=LOCK_SECONDS)
    with suppress(Timeout):
        lock.acquire()
    try:
        _replace(index, render_history(past_runs(runs)))
    finally:
        lock.release()
    return index


def _replace(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def render_history(runs: Sequence[PastRun], now: datetime | None = None) -> str:
    """Return the page of some runs, the first on top; its links are relative to the folder of the runs."""
    counts = Counter(run.status for run in runs)
    body = _BODY.render(
        rows=[_row(run) for run in runs],
        counts=[(status, counts[status]) for status in RunStatus if counts[status]],
        tones=TONES,
        drawing=Markup(_drawing(runs)),
        now=f"{now or datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
    )
    return page("Deep MNIST: all runs", body)


def _row(run: PastRun) -> dict[str, Any]:
    return {
        "run": run,
        "folder": quote(run.name),
        "started": run.started.replace("T", " ").removesuffix("Z"),
        "duration": _duration(run.seconds),
        "dataset": PurePath(run.dataset).name if run.dataset.startswith("/") else run.dataset,
        "network": PurePath(run.model).name or run.network,
        "findings": [(count, name) for name, count in (run.findings or {}).items() if count],
    }


def _duration(seconds: float | None) -> str:
    """Return a duration as a person says it.

    >>> _duration(71.44), _duration(0.4), _duration(3725.0)
    ('1 min 11 s', '0.4 s', '1 h 2 min')
    """
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _drawing(runs: Sequence[PastRun]) -> str:
    """Return the accuracy of the runs of each dataset, oldest first; nothing while no dataset has two."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for number, run in enumerate(reversed(runs), start=1):
        if run.accuracy is not None:
            lines.setdefault(PurePath(run.dataset).name or "unknown", []).append((number, run.accuracy))
    shown = {name: points for name, points in lines.items() if len(points) > 1}
    if not shown:
        return ""
    dots = sum(map(len, shown.values())) <= MOST_DOTS
    return chart("Accuracy of the runs", shown, x_title="run, oldest first", dots=dots)
