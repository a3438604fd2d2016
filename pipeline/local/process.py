"""Run the definition on this machine, as processes or as containers, and report accurately how it ended.

The engine is `kfp.local`; what it lacks is here: exit codes, live progress, killing what is left behind, a report.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from components.failure import Failure
from components.work import Span, seconds_covered
from pipeline.containers.engine import stop_all
from pipeline.local.run_lock import hold_run_lock
from pipeline.run_arguments import UsageError
from pipeline.states import TaskState

UNREAD = "definition"  # stands for the tasks while the worker has not named them
POLL_SECONDS = 0.1
# A trainer that is asked to end writes a checkpoint first.
GRACE_SECONDS = 10.0


@dataclass
class LocalTask:
    """One task's state, why it failed, when its step worked, and what each of a sweep's trials made of it."""

    name: str
    state: TaskState = TaskState.WAITING
    started: float = 0.0
    seconds: float = 0.0
    outputs: Mapping[str, Any] = field(default_factory=dict)
    failure: Failure | None = None
    running: int = 0
    work: list[Span] = field(default_factory=list)
    repetitions: list[Mapping[str, Any]] = field(default_factory=list)

    def artifact(self, name: str) -> Path | None:
        """Return the path of an output artifact, or None when it was not written."""
        return _path(self.outputs.get(name))

    def artifacts(self, name: str) -> list[Path]:
        """Return the paths of an output artifact of all trials, in the order in which they ended."""
        return [path for outputs in self.repetitions if (path := _path(outputs.get(name)))]


@dataclass
class Run:
    """A run as it stands: its folder, its arguments, its tasks in order, and what ended it."""

    folder: Path
    arguments: Mapping[str, Any]
    tasks: dict[str, LocalTask]
    started: float
    seconds: float = 0.0
    signal: int = 0
    worker_status: int = 0

    @property
    def log(self) -> Path:
        return self.folder / "run.log"

    @property
    def overhead(self) -> float:
        """Seconds in which no step worked: starting processes, kfp, looking up what can be reused."""
        return self.seconds - seconds_covered([span for task in self.tasks.values() for span in task.work])

    @property
    def failed_task(self) -> LocalTask | None:
        """The first task that is neither done nor cached, or None after a whole run."""
        if not self.tasks:
            return LocalTask(UNREAD, TaskState.FAILED)
        return next(
            (task for task in self.tasks.values() if task.state not in (TaskState.DONE, TaskState.CACHED)), None
        )


def run_here(
    arguments: Mapping[str, Any],
    runs: Path,
    *,
    rehearsal: bool = False,
    inspection: int = 0,
    containers: bool = False,
    mounts: tuple[tuple[str, bool], ...] = (),
    parallelism: int = 0,
    on_change: Callable[[Run], None] = lambda _run: None,
) -> Run:
    """Run the whole pipeline here and return how it went.

    Args:
        arguments: Of the pipeline's signature.
        runs: Folder that gets `<run id>/` and holds `.cache`.
        rehearsal: Rehearse the network before it is trained.
        inspection: Folds in which single labels are inspected before that; 0 leaves it out.
        containers: Run each step in its image instead of as a process.
        mounts: (host path, read only) that the containers need besides the run's own folder.
        parallelism: Run a sweep, so many trials at the same time; 0 runs the training pipeline.
        on_change: Called when a task starts or ends, and ten times a second in between.

    Raises:
        UsageError: The folder cannot be used.
    """
    folder = _make_run_folder(runs)
    label = f"deep-mnist-run={folder.name}"
    request: dict[str, Any] = {
        "arguments": {**arguments, "run_name": folder.name},
        "pipeline_root": str(folder / "artifacts"),
        "cache_root": str(runs.resolve() / ".cache" / ("containers" if containers else "processes")),
        "rehearsal": rehearsal,
        "inspection": inspection,
        "containers": containers,
        "mounts": mounts,
        "parallelism": parallelism,
        "labels": dict([label.split("=")]),
    }
    (folder / "request.json").write_text(json.dumps(request, indent=1))
    (folder / "events.jsonl").touch()
    run = Run(folder, request["arguments"], {}, time.time())
    _watch(run, on_change)
    if containers and run.signal:
        stop_all(label)
    return run


def _make_run_folder(runs: Path) -> Path:
    refuse_python3(runs.resolve(), "RUNS")
    name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    folder = runs.resolve() / name
    try:
        (folder / "artifacts").mkdir(parents=True)
    except OSError as error:
        raise UsageError(
            f"Expected a folder to write runs to. Received: {runs} ({error.strerror}). Fix: RUNS=a folder of yours"
        ) from error
    return folder


def refuse_python3(value: object, name: str) -> None:
    """kfp 2.17's local runner rewrites the text `python3` in every argument; a path that holds it would be lost."""
    if "python3" in str(value):
        raise UsageError(
            f"Expected {name} without the text 'python3', which kfp.local rewrites in every argument. "
            f"Received: {value}. Fix: move or link it to another name."
        )


def _watch(run: Run, on_change: Callable[[Run], None]) -> None:
    """Start the worker, follow its events until it ends, and leave no process of it behind."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    command = [sys.executable, "-m", "pipeline.local.worker", str(run.folder)]
    with run.log.open("wb") as log, _signals_noted(run):
        hold_run_lock(log)
        worker = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=environment,
        )
        try:
            _follow(run, worker, on_change)
        finally:
            _end_group(worker)
    run.seconds, run.worker_status = time.time() - run.started, worker.returncode
    if worker.returncode and run.failed_task is None:  # every task ended well, yet the worker did not
        list(run.tasks.values())[-1].state = TaskState.FAILED


@contextmanager
def _signals_noted(run: Run) -> Iterator[None]:
    """Note SIGINT and SIGTERM in the run instead of dying of them, so that the last line is still printed."""

    def note(number: int, _frame: FrameType | None) -> None:
        run.signal = number

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _follow(run: Run, worker: subprocess.Popen[bytes], on_change: Callable[[Run], None]) -> None:
    unread = ""
    with (run.folder / "events.jsonl").open() as events:
        while True:
            ended = worker.poll() is not None
            *lines, unread = (unread + events.read()).split("\n")
            for line in lines:
                _apply(run, json.loads(line))
            on_change(run)
            if ended or run.signal:
                break
            time.sleep(POLL_SECONDS)
    for task in run.tasks.values():
        if task.state == TaskState.RUNNING:
            task.state = TaskState.STOPPED if run.signal else TaskState.FAILED
            task.seconds = time.time() - task.started


def _apply(run: Run, event: Mapping[str, Any]) -> None:
    """Note a task's start or end. A sweep's trials share their tasks: each is one row, from its first start to its last
    end, failed as soon as one trial's is."""
    if event["event"] == "definition":
        run.tasks.update({name: LocalTask(name) for name in event["tasks"]})
        return
    task = run.tasks[event["task"]]
    if event["event"] == "start":
        task.running += 1
        task.state = task.state if task.state == TaskState.FAILED else TaskState.RUNNING
        task.started = task.started or event["time"]
        return
    task.running -= 1
    task.repetitions.append(event["outputs"])
    task.work += [tuple(event["work"])] if event["work"] else []
    task.seconds = event["time"] - task.started
    if task.state != TaskState.FAILED and not _is_unfit(task):
        task.outputs = event["outputs"]
    if event["state"] == TaskState.FAILED and task.state != TaskState.FAILED:
        task.failure = Failure.from_dict(event["failure"]) if event["failure"] else None
        task.state = TaskState.FAILED
    if task.state != TaskState.FAILED and not task.running:
        task.state = TaskState(event["state"])


def _path(value: Any) -> Path | None:
    path = Path(value["path"]) if isinstance(value, dict) and "path" in value else None
    return path if path and path.exists() else None


def _is_unfit(task: LocalTask) -> bool:
    """Say whether the outputs are those of the data that ended the run, which a later trial must not replace."""
    return task.outputs.get("verdict") == "unfit"


def _end_group(worker: subprocess.Popen[bytes]) -> None:
    """Ask the worker's process group to end, then make it."""
    deadline = time.monotonic() + GRACE_SECONDS
    _signal_group(worker.pid, signal.SIGTERM)
    while _group_lives(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    _signal_group(worker.pid, signal.SIGKILL)
    worker.wait()


def _signal_group(group: int, number: int) -> bool:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _group_lives(worker: subprocess.Popen[bytes]) -> bool:
    worker.poll()  # a zombie still answers
    return _signal_group(worker.pid, 0)
