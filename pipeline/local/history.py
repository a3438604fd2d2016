"""What is known of a run from its folder, however it ended and whatever is left of it.

Nothing in a folder of runs is relied on: a run may be at work, killed, half deleted, or no run at all; a file may be
cut off or hold something else. What cannot be read is None or "", and never an error.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deep_mnist.doctor.finding import SEVERITIES
from pipeline.local.run_lock import is_running
from pipeline.states import ENDINGS, RunStatus

MAX_BYTES = 16 << 20  # of one file
LONGEST = 2000  # characters of a text
_MARKS = ("outcome.json", "request.json", "events.jsonl")  # a folder that holds none of them is no run


@dataclass(frozen=True)
class PastRun:
    """One run.

    Attributes:
        name: Of its folder.
        status: How it ended; RUNNING, or UNFINISHED when its processes were killed before it could say.
        started: UTC, ISO 8601 without fractions, or "".
        seconds: From start to end, or None.
        step: Where it failed or was interrupted, or the last step that started when it is at work or was killed.
        accuracy, champion_accuracy: 0..1 on the test split, or None.
        model_name, version: What was promoted; None when nothing was.
        reason: Why it was promoted or not, or why it failed.
        findings: Severity -> number, of the doctor's findings; None when it did not judge.
        dataset, network, model: As requested; a sweep's networks are joined.
        seed, epochs: As requested, or None; 0 epochs are the recipe's.
        trials: Of a sweep; 0 otherwise.
        best: Of a sweep, the trial that was judged.
        report, log: Whether these files exist.
    """

    name: str
    status: RunStatus
    started: str
    seconds: float | None
    step: str
    accuracy: float | None
    champion_accuracy: float | None
    model_name: str
    version: int | None
    reason: str
    findings: Mapping[str, int] | None
    dataset: str
    network: str
    model: str
    seed: int | None
    epochs: int | None
    trials: int
    best: str
    report: bool
    log: bool

    def to_dict(self) -> dict[str, Any]:
        """Return name -> value, as plain JSON types."""
        return asdict(self)


def past_runs(runs: Path) -> list[PastRun]:
    """Return the runs whose folders lie in `runs`, the latest first."""
    try:
        folders = [each for each in runs.iterdir() if not each.name.startswith(".")]
    except OSError:
        return []
    found = [run for folder in folders if (run := read_past_run(folder)) is not None]
    return sorted(found, key=lambda run: (run.started, run.name), reverse=True)


def read_past_run(folder: Path) -> PastRun | None:
    """Return what is known of the run in a folder, or None when it is no run's folder."""
    if not any(_exists(folder / name) for name in _MARKS):
        return None
    outcome, request = _object(folder / "outcome.json"), _object(folder / "request.json")
    events = list(_events(folder / "events.jsonl"))
    arguments = _dict(request.get("arguments"))
    status = _status(folder, outcome)
    trials = [_dict(each) for each in _list(arguments.get("trials"))]
    return PastRun(
        name=_text(folder.name),
        status=status,
        started=_started(folder, events),
        seconds=_number(outcome.get("seconds"), 0, 1e9),
        step=_text(outcome.get("step")) or ("" if status in ENDINGS else _last_step(events)),
        accuracy=_number(outcome.get("accuracy"), 0, 1),
        champion_accuracy=_number(outcome.get("champion"), 0, 1),
        model_name=_text(arguments.get("model_name")) if status == RunStatus.PUBLISHED else "",
        version=_whole(outcome.get("version")) if status == RunStatus.PUBLISHED else None,
        reason=_text(outcome.get("why")),
        findings=_findings(outcome),
        dataset=_text(arguments.get("dataset")),
        network=_networks(trials) or _text(arguments.get("network")),
        model=_text(arguments.get("model")),
        seed=_whole(arguments.get("seed")),
        epochs=_whole(arguments.get("epochs")),
        trials=len(trials),
        best=_text(outcome.get("best")),
        report=_exists(folder / "report.html"),
        log=_exists(folder / "run.log"),
    )


def _status(folder: Path, outcome: Mapping[str, Any]) -> RunStatus:
    if outcome.get("status") in ENDINGS:
        return RunStatus(outcome["status"])
    return RunStatus.RUNNING if is_running(folder / "run.log") else RunStatus.UNFINISHED


def _started(folder: Path, events: list[dict[str, Any]]) -> str:
    """Return when a run started: as its name says, else its first event."""
    try:
        return _iso(datetime.strptime(folder.name[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC))
    except ValueError:
        times = (_number(event.get("time"), 0, 1e11) for event in events)
        first = next((time for time in times if time), None)
        return _iso(datetime.fromtimestamp(first, UTC)) if first else ""


def _iso(time: datetime) -> str:
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")


def _last_step(events: list[dict[str, Any]]) -> str:
    return next((_text(event.get("task")) for event in reversed(events) if event.get("event") == "start"), "")


def _findings(outcome: Mapping[str, Any]) -> dict[str, int] | None:
    """Return the counts that the outcome gives; one written without them counts a failed run's errors only."""
    counts = outcome.get("severities")
    if not isinstance(counts, dict):
        errors = _whole(outcome.get("findings"))
        return {"error": errors} if errors else None
    return {severity: _whole(counts.get(severity)) or 0 for severity in SEVERITIES}


def _networks(trials: list[dict[str, Any]]) -> str:
    return ", ".join(dict.fromkeys(filter(None, (_text(each.get("network")) for each in trials))))


def _events(path: Path) -> Iterator[dict[str, Any]]:
    for line in _read(path).splitlines():
        event = _parsed(line)
        if isinstance(event, dict):
            yield event


def _object(path: Path) -> dict[str, Any]:
    return _dict(_parsed(_read(path)))


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _read(path: Path) -> str:
    try:
        if not path.is_file() or path.stat().st_size > MAX_BYTES:
            return ""
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _exists(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    """Return a text that can be written as UTF-8, whatever the bytes of a folder's name are."""
    return value[:LONGEST].encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _number(value: object, low: float, high: float) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        return None
    return float(value) if math.isfinite(value) else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63 else None
