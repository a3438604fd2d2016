"""What becomes of a training when one of its nodes is gone: it ends on all of them, soon, and is started again."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf

LOST_STATUS = 75  # EX_TEMPFAIL: to be started again
SILENT_SECONDS = 600.0  # without a step on any node; a chunk of steps takes a few
LOOK_SECONDS = 1.0
# What collectives raise when a peer has died, was restarted or has given up.
OF_A_PEER = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
    tf.errors.UnknownError,
)


class NodeLostError(SystemExit):
    """Another node does not take part any more; the exit status is LOST_STATUS."""

    fix = "run it again: training goes on from its checkpoint"


@contextmanager
def lost_nodes_end_the_attempt(*, active: bool) -> Iterator[None]:
    """Turn what a collective raises when a peer has gone into the one exit status that says so.

    Raises:
        NodeLostError: Another node has gone.
    """
    try:
        yield
    except OF_A_PEER as error:
        if not active:
            raise
        reason = str(error).strip().splitlines()[0][:300]
        print(f"train: another node is gone; this attempt ends here. {reason}", flush=True)
        raise NodeLostError(LOST_STATUS) from error


class Deadline:
    """Ends this process when no step is finished for long, as when a peer hangs or its network is cut."""

    def __init__(self, seconds: float = SILENT_SECONDS) -> None:
        self.seconds = seconds
        self._last = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Deadline:
        self._last = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def beat(self) -> None:
        """Say that steps were finished."""
        self._last = time.monotonic()

    def _watch(self) -> None:
        while not self._over.wait(min(LOOK_SECONDS, self.seconds)):
            if time.monotonic() - self._last > self.seconds:
                print(
                    f"train: no step for {self.seconds:g} s: another node hangs or cannot be reached; "
                    "this attempt ends here",
                    flush=True,
                )
                sys.stdout.flush()
                os._exit(LOST_STATUS)  # the main thread waits inside a collective, where no exception reaches it
