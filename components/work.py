"""When a step's own work began and ended, in a file beside its outputs: what a run takes besides is the pipeline's."""

from __future__ import annotations

import gc
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FILE = "work.json"
# When a step began, where it waited for an import before its process could be forked: importing is part of its work.
BEGAN = "DEEP_MNIST_STEP_BEGAN"
# Importing TensorFlow makes a million objects that stay. To look for dead ones among them whenever 700 were added, as
# Python does by itself, takes a sixth of that import, and nearly a second more when the process ends.
OBJECTS_UNTIL_COLLECTED = (50_000, 20, 100)
Span = tuple[float, float]


@contextmanager
def noted_work(folder: Path | None) -> Iterator[None]:
    """Note when a step's work began and ended in `folder`; None, where no process of a step runs, notes nothing.

    The process has this one purpose, so its garbage collector is set for what it imports, and rests at its end.
    """
    if folder is None:
        yield
        return
    with spared_collections():
        began = float(os.environ.pop(BEGAN, time.time()))
        try:
            yield
        finally:
            _write((began, time.time()), folder)


@contextmanager
def spared_collections() -> Iterator[None]:
    """Set the garbage collector for a process that imports TensorFlow, does what is inside, and ends."""
    gc.set_threshold(*OBJECTS_UNTIL_COLLECTED)
    try:
        yield
    finally:
        gc.freeze()


def _write(span: Span, folder: Path) -> None:
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).write_text(json.dumps(span))


def read_work(folder: Path) -> Span | None:
    """Return (began, ended), in seconds since 1970, or None where no step has written it."""
    with suppress(OSError, ValueError, TypeError):
        began, ended = map(float, json.loads((folder / FILE).read_text()))
        return began, ended
    return None


def seconds_covered(spans: list[Span]) -> float:
    """Return the seconds in which any of the spans was going on; steps may work side by side.

    >>> seconds_covered([(0.0, 3.0), (2.0, 4.0), (6.0, 7.0)])
    5.0
    """
    total, covered_to = 0.0, float("-inf")
    for began, ended in sorted(spans):
        total += max(0.0, ended - max(began, covered_to))
        covered_to = max(covered_to, ended)
    return total
