"""What a person sees while a run goes on: a live table on a terminal, a line a step elsewhere."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.table import Table

from pipeline.local.process import Run
from pipeline.local.run_outcome import log_lines
from pipeline.states import TaskState

_STYLES = {
    TaskState.DONE: "green",
    TaskState.CACHED: "cyan",
    TaskState.FAILED: "red",
    TaskState.STOPPED: "yellow",
    TaskState.RUNNING: "bold",
    TaskState.WAITING: "dim",
}
_NOTES = {TaskState.CACHED: "unchanged, reused"}


class Display(Protocol):
    def __enter__(self) -> Display: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def __call__(self, run: Run) -> None: ...


class LastingConsole(Console):
    """Goes on in silence where what reads it has gone away, as `| head -1` does: a run has its report."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        write_to_nobody()


def print_last(line: str) -> None:
    """Print a run's last line, to whoever still reads it."""
    try:
        print(line, flush=True)
    except BrokenPipeError:
        write_to_nobody()


def write_to_nobody() -> None:
    """Let what this process still prints on standard output go nowhere, without an error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def display(console: Console, *, quiet: bool) -> Display:
    """Return what fits the console: a live table, plain lines, or nothing at all."""
    if quiet:
        return PlainLines(None)
    return LiveTable(console) if console.is_terminal else PlainLines(console)


class LiveTable:
    """A table of the steps, their state and duration, and the last line that the running step printed."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=8)
        self._size = -1
        self._last = ""

    def __enter__(self) -> LiveTable:
        self._live.__enter__()
        return self

    def __exit__(self, *reason: object) -> None:
        self._live.__exit__(None, None, None)

    def __call__(self, run: Run) -> None:
        table = Table(box=None, pad_edge=False)
        for title in ("step", "state", "seconds", ""):
            table.add_column(title, justify="right" if title == "seconds" else "left", no_wrap=True)
        for task in run.tasks.values():
            running = task.state == TaskState.RUNNING
            seconds = time.time() - task.started if running else task.seconds
            note = self._last_line(run) if running else _NOTES.get(task.state, "")
            shown = f"{seconds:.1f}" if task.started else ""
            table.add_row(task.name, f"[{_STYLES[task.state]}]{task.state}[/]", shown, f"[dim]{note[:80]}[/]")
        self._live.update(table)

    def _last_line(self, run: Run) -> str:
        size = run.log.stat().st_size if run.log.exists() else 0
        if size != self._size:
            self._size = size
            indented = [line.strip() for line in log_lines(run) if line.startswith("    ") and line.strip()]
            self._last = indented[-1].replace("[", r"\[") if indented else ""
        return self._last


class PlainLines:
    """One line when a step has ended."""

    def __init__(self, console: Console | None) -> None:
        self._console = console
        self._announced: set[str] = set()

    def __enter__(self) -> PlainLines:
        return self

    def __exit__(self, *reason: object) -> None:
        pass

    def __call__(self, run: Run) -> None:
        for task in run.tasks.values():
            if task.state in (TaskState.WAITING, TaskState.RUNNING) or task.name in self._announced:
                continue
            self._announced.add(task.name)
            if self._console:
                note = _NOTES.get(task.state, "")
                line = f"{task.name:<14} {task.state:<7} {task.seconds:6.1f} s  {note}"
                self._console.print(line.rstrip(), highlight=False)
