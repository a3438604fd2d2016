"""How a run ended: the fixed last line, the exit status, and the same as one JSON object."""

from __future__ import annotations

import json
import re
import signal
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.failure import MARK, Failure, read_failure
from pipeline.local.process import LocalTask, Run
from pipeline.resources import STEP_OF
from pipeline.states import RunStatus
from pipeline.unexplained_exit import failure_of_exit, full_disk

LAST_LOG_LINES = 25
_COLOR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class RunOutcome:
    """What a run came to.

    Attributes:
        status: One of ENDINGS.
        exit_status: 0 for the first two, 1 for FAILED, 128 + signal number for INTERRUPTED.
        fields: What the last line says after the status, in order.
        reason: Why, for a person; may span lines.
    """

    status: RunStatus
    exit_status: int
    fields: dict[str, Any]
    reason: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def line(self) -> str:
        return " ".join([self.status, *(f"{name}={_shown(name, value)}" for name, value in self.fields.items())])

    def to_json(self) -> str:
        return json.dumps(
            {"status": self.status, "exit_status": self.exit_status, **self.fields, "why": self.reason, **self.details}
        )


def _shown(name: str, value: Any) -> str:
    if name in ("accuracy", "champion"):
        return f"{value:.4f}"
    if name == "seconds":
        return f"{value:.1f}"
    return json.dumps(value, ensure_ascii=False) if name in ("reason", "best") else str(value)


def outcome_of(run: Run, report: Path) -> RunOutcome:
    """Return what the run came to; `report` is the path the last line gives."""
    task = run.failed_task
    ending = {"seconds": round(run.seconds, 1), "report": str(report)}
    details = {
        "run": run.folder.name,
        "overhead": round(run.overhead, 2),
        "steps": [{"step": t.name, "state": t.state, "seconds": round(t.seconds, 2)} for t in run.tasks.values()],
        **_severities(run),
    }
    if task is None and not run.signal:
        return _finished(run, ending, details)
    step = STEP_OF.get(task.name, task.name) if task else "publish"
    if run.signal:
        return RunOutcome(
            RunStatus.INTERRUPTED,
            128 + run.signal,
            {"step": step, **ending},
            f"{signal.Signals(run.signal).name}: every process of the run was stopped",
            details,
        )
    findings = errors_found(run, step) if step in STEP_OF.values() else []
    failure = failure_of_run(run)
    reason = failure.text() if failure.foreseen else f"{_last_lines(run)}\n{failure.text()}".lstrip()
    fields = {"step": step, "findings": len(findings), **ending}
    return RunOutcome(RunStatus.FAILED, 1, fields, reason, {**details, "error": json.loads(failure.to_json())})


def _finished(run: Run, ending: dict[str, Any], details: dict[str, Any]) -> RunOutcome:
    promotion = read_json_artifact(run.tasks["publish"], "promotion")
    if "select" in run.tasks:
        selection = read_json_artifact(run.tasks["select"], "trials")
        ending, details = {"best": selection["best"], **ending}, {**details, "trials": selection["trials"]}
    if promotion["promoted"]:
        fields = {"version": promotion["version"], "accuracy": promotion["accuracy"], **ending}
        return RunOutcome(
            RunStatus.PUBLISHED, 0, fields, promotion.get("reason", ""), {**details, "uri": promotion.get("uri")}
        )
    champion = promotion.get("champion_accuracy")
    fields = {"accuracy": promotion["accuracy"], **({} if champion is None else {"champion": champion})}
    fields |= {"reason": promotion["reason"], **ending}
    return RunOutcome(RunStatus.NOT_PROMOTED, 0, fields, promotion["reason"], details)


def read_json_artifact(task: LocalTask, artifact: str) -> dict[str, Any]:
    """Return the JSON object in a task's artifact, or {} when it was not written."""
    path = task.artifact(artifact)
    return json.loads(path.read_text()) if path else {}


def errors_found(run: Run, step: str = "validate") -> list[dict[str, Any]]:
    """Return the doctor's findings of severity error."""
    findings = read_json_artifact(run.tasks[step], "findings").get("findings", [])
    return [finding for finding in findings if finding["severity"] == "error"]


def _severities(run: Run) -> dict[str, Any]:
    """Return how many findings of each severity the doctor reported; nothing when it did not judge."""
    judged = [read_json_artifact(run.tasks[step], "findings") for step in ("validate", "rehearse") if step in run.tasks]
    counts = Counter(finding["severity"] for each in judged for finding in each.get("findings", []))
    return {"severities": dict(counts)} if any(judged) else {}


def failure_of_run(run: Run) -> Failure:
    """Return why the run failed: as the step or the worker reported, else what is known."""
    task = run.failed_task
    failure = (task.failure if task else None) or read_failure(run.folder)
    if failure:
        return failure
    step = task.name if task else ""
    return full_disk(run.folder, step) or failure_of_exit(step, run.folder, run.worker_status)


def log_lines(run: Run) -> list[str]:
    """Return the run's log without terminal colours and without what is for machines."""
    text = run.log.read_text(errors="replace") if run.log.exists() else ""
    return [_COLOR.sub("", line).rstrip() for line in text.splitlines() if MARK not in line]


def _last_lines(run: Run) -> str:
    return "\n".join([line for line in log_lines(run) if line.strip()][-LAST_LOG_LINES:])
