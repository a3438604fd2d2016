"""The states of a task and of a run on this machine, as pages, JSON and the last line write them."""

from __future__ import annotations

from enum import StrEnum


class TaskState(StrEnum):
    """What has become of a task so far."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    CACHED = "cached"  # an earlier result was reused
    FAILED = "failed"
    STOPPED = "stopped"  # by a signal to the run


class RunStatus(StrEnum):
    """How a run ended, or why it has no end."""

    PUBLISHED = "PUBLISHED"
    NOT_PROMOTED = "NOT PROMOTED"
    FAILED = "FAILED"
    INTERRUPTED = "INTERRUPTED"
    RUNNING = "RUNNING"
    UNFINISHED = "UNFINISHED"  # its processes were killed before it could say


ENDINGS = (RunStatus.PUBLISHED, RunStatus.NOT_PROMOTED, RunStatus.FAILED, RunStatus.INTERRUPTED)
