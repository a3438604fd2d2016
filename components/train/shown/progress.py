"""How a training shows itself: a progress bar on a terminal, one line an epoch elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Report:
    """Shows steps and epochs on `console`, standard output by default."""

    def __init__(self, steps: int, epochs: int, console: Console | None = None) -> None:
        self.epochs = epochs
        self.console = console or Console(file=sys.stdout, highlight=False, soft_wrap=True)
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[state]}"),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self._task = self._bar.add_task("training", total=steps, state="")

    def __enter__(self) -> Report:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def step(self, done: int, results: Mapping[str, float]) -> None:
        """Show how many steps are done, and the epoch's results so far."""
        self._bar.update(
            self._task, completed=done, state=f"loss {results['loss']:.4f} accuracy {results['accuracy']:.4f}"
        )

    def epoch(self, record: Mapping[str, Any]) -> None:
        """Print a finished epoch's line."""
        self.console.print(
            f"epoch {record['epoch']}/{self.epochs} loss {record['loss']:.4f} accuracy {record['accuracy']:.4f} "
            f"val_loss {record['val_loss']:.4f} val_accuracy {record['val_accuracy']:.4f} "
            f"{record['seconds']:.1f} s {record['images_per_second']:.0f} images/s",
            markup=False,
        )
        self.console.file.flush()
