"""How long each stage of a request took."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

# "wait": for a thread, and for a batch. What requests share (predict, a part of door) counts for each as a whole.
STAGES = ("parse", "door", "wait", "predict", "answer")


class HasStages(Protocol):
    """Anything whose stages are measured."""

    @property
    def stages(self) -> Stages: ...


class Stages:
    """When each stage of one request began and ended.

    Attributes:
        intervals: Stage, begin and end, seconds of time.perf_counter(). Another thread may still append.
    """

    def __init__(self) -> None:
        self.intervals: list[tuple[str, float, float]] = []
        self._waiting_since = time.perf_counter()

    @property
    def seconds(self) -> dict[str, float]:
        """Stage -> seconds so far."""
        taken: dict[str, float] = {}
        for stage, begun, ended in tuple(self.intervals):
            taken[stage] = taken.get(stage, 0.0) + ended - begun
        return taken

    def add(self, stage: str, begun: float) -> None:
        """Count what has passed since `begun` for a stage."""
        self.intervals.append((stage, begun, time.perf_counter()))

    @contextmanager
    def measured(self, stage: str) -> Iterator[None]:
        """Count the block for a stage."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.add(stage, started)

    def wait(self) -> None:
        """Begin to wait."""
        self._waiting_since = time.perf_counter()

    def waited(self) -> None:
        """Count what has passed since the last `wait`, or since the request came to be."""
        self.add("wait", self._waiting_since)

    @staticmethod
    @contextmanager
    def shared(stage: str, several: Iterable[HasStages]) -> Iterator[None]:
        """Count the block for a stage of each of several requests."""
        started = time.perf_counter()
        try:
            yield
        finally:
            for each in several:
                each.stages.add(stage, started)
