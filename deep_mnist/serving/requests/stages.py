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
    """Seconds of one request by stage.

    Attributes:
        seconds: Stage -> seconds so far.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._waiting_since = time.perf_counter()

    def add(self, stage: str, seconds: float) -> None:
        """Count more seconds for a stage."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

    @contextmanager
    def measured(self, stage: str) -> Iterator[None]:
        """Count the block for a stage."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.add(stage, time.perf_counter() - started)

    def wait(self) -> None:
        """Begin to wait."""
        self._waiting_since = time.perf_counter()

    def waited(self) -> None:
        """Count what has passed since the last `wait`, or since the request came to be."""
        self.add("wait", time.perf_counter() - self._waiting_since)

    @staticmethod
    @contextmanager
    def shared(stage: str, several: Iterable[HasStages]) -> Iterator[None]:
        """Count the block for a stage of each of several requests."""
        started = time.perf_counter()
        try:
            yield
        finally:
            for each in several:
                each.stages.add(stage, time.perf_counter() - started)
